"""Arrays that the compiler makes once and keeps, instead of wherever they are used.

XLA's fusion on CPU repeats elementwise work in each of its consumers, and theirs: a
gradient that several products read is computed for each of them, in whatever order they
read it. That took a third of the main system's step. A barrier prevents it, but XLA
removes barriers on CPU before it fuses, unless it is told to leave them in.
"""

import jax

from dann_jax.types import PyTree


def materialised(tree: PyTree) -> PyTree:
    """The same arrays, made once; so are their gradients.

    Without `kept_on` the values are the same and, on CPU, nothing else happens.

    Example:
      >>> import jax.numpy as jnp
      >>> float(materialised(jnp.float32(2.0)))
      2.0
    """
    return jax.lax.optimization_barrier(tree)


def kept_on(platform: str) -> dict[str, str] | None:
    """Options of `jax.jit` by which `materialised` holds on `platform`, as `"cpu"`."""
    if platform != "cpu":
        return None
    # What expands barriers goes by this name in XLA.
    return {"xla_disable_hlo_passes": "cse_barrier_expander"}
