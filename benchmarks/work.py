"""FLOPs and bytes of a traced function, with loops counted as often as they run.

XLA's own cost analysis counts the body of a loop once, and a recurrent network is
mostly loop; so this counts over the trace instead, where `scan` has a length. What is
counted is matrix products: the rest is fused into them or small beside them.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr


class Work(NamedTuple):
    """Of matrix products.

    Attributes:
      flops: a multiplication and an addition count as two.
      bytes: of operands and results, as if nothing stayed in a cache.
      turns: iterations of the loops that hold them, one after another.
    """

    flops: float
    bytes: float
    turns: int


def work_of(function: Any, *arguments: Any) -> Work:
    """Count a function on arguments, which may be shapes only.

    Example:
      >>> import jax
      >>> import jax.numpy as jnp
      >>> def steps(x):
      ...     return jax.lax.scan(lambda c, _: (c @ c, None), x, length=3)[0]
      >>> work_of(steps, jnp.zeros((10, 10)))
      Work(flops=6000.0, bytes=3600.0, turns=3)
    """
    # What is compiled with options cannot be traced inside of anything else.
    staged = function if hasattr(function, "trace") else jax.jit(function)
    return _count(staged.trace(*arguments).jaxpr.jaxpr)


def _count(jaxpr: Jaxpr) -> Work:
    return _sum([_instruction(equation) for equation in jaxpr.eqns])


def _instruction(equation: Any) -> Work:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        return _product(equation)
    inside = [_count(part) for part in _parts(params)]
    if name == "cond":
        return max(inside)
    once = _sum(inside)
    if name != "scan":
        return once
    turns = once.turns or bool(once.flops)
    return Work(*(params["length"] * value for value in (*once[:2], turns)))


def _sum(parts: Sequence[Work]) -> Work:
    return Work(*map(sum, zip(*parts, strict=True))) if parts else Work(0.0, 0.0, 0)


def _parts(params: dict[str, Any]) -> Iterator[Jaxpr]:
    """The programs within an instruction, each once."""
    for value in params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if isinstance(part, ClosedJaxpr):
                yield part.jaxpr
            elif isinstance(part, Jaxpr):
                yield part


def _product(equation: Any) -> Work:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left, right = (variable.aval for variable in equation.invars)
    (result,) = (variable.aval for variable in equation.outvars)
    depth = math.prod(left.shape[axis] for axis in contracted)
    moved = sum(x.size * x.dtype.itemsize for x in (left, right, result))
    return Work(2.0 * result.size * depth, float(moved), 0)
