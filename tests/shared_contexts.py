"""Programs that are lowered one after the other share a context of MLIR.

JAX makes one for each program and loads all dialects into it: a fifth of the time that
it takes to compile a single operation, of which tests compile thousands.
"""

import threading

from jax._src.interpreters import mlir
from jaxlib.mlir import ir

_PROGRAMS = 100
"""Of one context, which keeps what its programs are made of, constants too."""


class _Last(threading.local):
    context: ir.Context
    left: int = 0


def share_contexts() -> None:
    """From here on, in this process."""
    make, last = getattr(mlir, "make_ir_context", None), _Last()
    if make is None:
        # No public name, which another version of JAX may lack: then each has its own.
        return

    def shared() -> ir.Context:
        if not last.left:
            last.context, last.left = make(), _PROGRAMS
        last.left -= 1
        return last.context

    mlir.make_ir_context = shared
