"""Gradient reversal: the one operation that makes an adversary out of a classifier.

Nothing here knows of encoders, heads or schedules; it works on any JAX program.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from dann_jax.types import Array, PyTree, Scalar


@jax.custom_vjp
def _reverse(tree: PyTree, strength: Scalar) -> PyTree:
    del strength
    return tree


def _reverse_fwd(tree, strength):
    return tree, strength


def _reverse_bwd(strength, cotangents):
    def flip(cotangent):
        # Integer leaves have float0 cotangents: nothing flows through them.
        if cotangent.dtype == jax.dtypes.float0:
            return cotangent
        # Without the cast a bfloat16 gradient would silently become float32.
        return -jnp.asarray(strength, cotangent.dtype) * cotangent

    return jax.tree.map(flip, cotangents), jnp.zeros_like(strength)


_reverse.defvjp(_reverse_fwd, _reverse_bwd)


def reverse_gradient(tree: PyTree, strength: Scalar) -> PyTree:
    """Pass `tree` through unchanged; flip and scale the gradient that flows back.

    What lies below is trained to *raise* the loss computed above. `strength` acts
    here and nowhere else: if it also multiplied the domain loss, the domain head
    would learn `strength` times slower and the encoder would see its square.

    Args:
      tree: array or pytree of arrays of any shape and floating type.
      strength: scalar, usually in [0, 1]; may be traced (a schedule inside `jit`).
        It receives a zero gradient.

    Returns:
      `tree`, bit for bit.

    Example:
      >>> import jax
      >>> float(jax.grad(lambda x: 3.0 * reverse_gradient(x, 0.5))(1.0))
      -1.5

    Reference:
      Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 17
      (2016), equations 17 and 18. A `custom_vjp` has no forward mode: use
      `jax.grad` or `jax.vjp`, not `jax.jvp`. A second derivative is that of the
      reversed gradient.
    """
    return _reverse(tree, jnp.asarray(strength, jnp.float32))


def scale_gradient(tree: PyTree, scale: Scalar) -> PyTree:
    """Pass `tree` through unchanged; scale the gradient that flows back.

    Args:
      tree: array or pytree of arrays of any shape and floating type.
      scale: scalar; may be traced, and receives a zero gradient.

    Returns:
      `tree`, bit for bit.

    Example:
      >>> import jax
      >>> float(jax.grad(lambda x: 3.0 * scale_gradient(x, 0.5))(1.0))
      1.5
    """
    return reverse_gradient(tree, -jnp.asarray(scale, jnp.float32))


def largest_strength(strength: Mapping[str, Scalar]) -> Array:
    """The largest strength of any adversary, a float32 scalar.

    For a loss term that belongs to no adversary.

    Example:
      >>> float(largest_strength({"speaker": 0.25, "corpus": 0.5}))
      0.5
    """
    return jnp.stack([jnp.asarray(s, jnp.float32) for s in strength.values()]).max()
