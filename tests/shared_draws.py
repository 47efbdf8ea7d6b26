"""Networks of equal attributes draw their parameters by one compiled program.

A command compiles it for one run; tests start hundreds of runs of a few networks.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
from flax import linen as nn

from dann_jax.training import program
from dann_jax.types import Batch, PyTree


def share_draws() -> None:
    """From here on, in this process."""
    make, made = program._drawing, {}

    @functools.wraps(make)
    def shared(module: nn.Module, batch: Batch, arms: int, on_cpu: bool) -> Callable:
        return once(
            made,
            (key_of(module), shapes_of(batch), arms, on_cpu),
            lambda: make(module, batch, arms, on_cpu),
        )

    program._drawing = shared


def once(made: dict, key: Any, make: Callable[[], Any]) -> Any:
    """What is made of this key, if there is something, else a new one."""
    try:
        hash(key)
    except TypeError:
        return make()
    if key not in made:
        made[key] = make()
    return made[key]


def shapes_of(tree: PyTree) -> Any:
    """Equal where no program can tell two trees of arrays apart."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)


def key_of(value: Any) -> Any:
    """Equal if, and only if, networks have the same classes and attributes."""
    if isinstance(value, nn.Module):
        names = (field.name for field in dataclasses.fields(value))
        own = {n: getattr(value, n) for n in names if n not in ("parent", "name")}
        return type(value), key_of(own)
    if isinstance(value, Mapping):
        return tuple((name, key_of(one)) for name, one in value.items())
    if isinstance(value, list | tuple):
        return type(value), *map(key_of, value)
    return type(value), value
