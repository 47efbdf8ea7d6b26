"""What a mask of dropout costs as JAX draws it on CPU, and written out.

    python -m benchmarks.random_bits

Prints for masks of two sizes the processor milliseconds of one, and the processor
seconds that compiling takes, of 60 masks drawn one after the other in one program.
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from dann_jax.models.ops.random_bits import without_loop

MASKS, REPEATS, RATE = 60, 20, 0.3


def cost(shape: tuple[int, ...], prepare: Callable) -> tuple[float, float]:
    """Seconds of compiling and milliseconds of a mask, of all cores together."""
    ones = jnp.ones(shape)

    def draw(key: jax.Array) -> jax.Array:
        keep = jax.random.bernoulli(prepare(key), 1 - RATE, shape)
        return jnp.where(keep, ones, 0.0).sum()

    keys = jax.random.split(jax.random.key(0), MASKS)
    began = time.process_time()
    masks = jax.jit(lambda keys: jax.lax.map(draw, keys)).lower(keys).compile()
    compiling = time.process_time() - began
    masks(keys).block_until_ready()
    began = time.process_time()
    for _ in range(REPEATS):
        masks(keys).block_until_ready()
    return compiling, (time.process_time() - began) / REPEATS / MASKS * 1e3


def main() -> None:
    """Print both ways side by side."""
    # The first program of a process pays for more than its own.
    cost((8,), lambda key: key)
    for shape in ((64, 1024), (64, 64)):
        for name, prepare in (("JAX", lambda key: key), ("written out", without_loop)):
            compiling, mask = cost(shape, prepare)
            print(f"{shape}, {name}: {mask:.3f} ms, compiled in {compiling:.2f} s")


if __name__ == "__main__":
    main()
