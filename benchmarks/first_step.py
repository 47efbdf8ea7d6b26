"""`dann-train` from the start of its process to the end of its first train step.

    python -m benchmarks.first_step --config=lian2019 --config.data.source=DIR

takes the flags of the command, runs it as far as that, and prints seconds as JSON. The
work directory is a temporary one; JAX's own variable JAX_COMPILATION_CACHE_DIR names
the cache of compiled programs.
"""

import importlib
import json
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

_MARKS = [("", time.perf_counter())]


def _mark(part: str) -> None:
    _MARKS.append((part, time.perf_counter()))


def _first_step(
    state: Any,
    *,
    layout: Any,
    batches: Callable[[int, int], Iterator[Any]],
    train_step: Any,
    **_: Any,
) -> NoReturn:
    """In place of `fit`: one step, then the end of the process."""
    import jax

    _mark("corpus, network, state under way")
    batch, strength = next(batches(0, 1)), layout.put(layout.peak_strength())
    step = train_step.lower(state, batch, strength).compile()
    _mark("program of the step")
    jax.block_until_ready(step(state, batch, strength))
    _mark("the step itself")
    parts = {
        part: now - before
        for (_, before), (part, now) in zip(_MARKS, _MARKS[1:], strict=False)
    }
    ready = _MARKS[-2][1] - _MARKS[0][1]
    total = _MARKS[-1][1] - _MARKS[0][1]
    print(json.dumps(parts | {"ready": ready, "total": total}), flush=True)
    # Nothing has been trained that threads and exit handlers should care for.
    os._exit(0)


def _import(name: str) -> Any:
    """In place of `import_module`, where commands begin."""
    module = importlib.import_module(name)
    _mark("import")
    sys.modules["dann_jax.experiment.train"].fit = _first_step
    return module


def main(words: list[str]) -> None:
    """Run the command as its entry point does."""
    from dann_jax.cli import start

    start.importlib = types.SimpleNamespace(import_module=_import)
    with tempfile.TemporaryDirectory() as folder:
        sys.argv = ["dann-train", f"--workdir={folder}", *words]
        start.train()


if __name__ == "__main__":
    main(sys.argv[1:])
