"""Keep XLA from computing an array again in each of its consumers.

XLA's fusion on CPU repeats elementwise work in every operation that reads the result: a
gradient that several matrix products read is computed once for each of them. That took
a third of the main system's train step. An optimization barrier prevents it, but XLA
on CPU removes barriers before it fuses, unless a compiler option leaves them in.
"""

import jax

from dann_jax.types import PyTree


def fusion_barrier(tree: PyTree) -> PyTree:
    """The same arrays, and their gradients, computed once.

    Without `barrier_compiler_options` this has no effect on CPU.

    Args:
      tree: arrays of any shape and type.

    Example:
      >>> import jax.numpy as jnp
      >>> float(fusion_barrier(jnp.float32(2.0)))
      2.0
    """
    return jax.lax.optimization_barrier(tree)


def barrier_compiler_options(platform: str) -> dict[str, str] | None:
    """Options of `jax.jit` that make `fusion_barrier` work on `platform` (`"cpu"`)."""
    if platform != "cpu":
        return None
    # The name of XLA's pass that removes barriers.
    return {"xla_disable_hlo_passes": "cse_barrier_expander"}
