"""Runs are on two of the eight devices: on each of the others they train a filler.

Two cores have all of them to do, at every step.
"""

from collections.abc import Iterator
from unittest import mock

import pytest
from jax.sharding import Mesh

from dann_jax.experiment import build
from dann_jax.training.replicas import make_mesh


def _two(*, parts: int = 1) -> Mesh:
    return make_mesh(max(2, parts), parts=parts)


def use_few_devices() -> None:
    """From here on, in this process."""
    build.make_mesh = _two


@pytest.fixture(scope="module", autouse=True)
def all_devices() -> Iterator[None]:
    """In force for the tests of every module that imports it: runs are on all eight."""
    with mock.patch.object(build, "make_mesh", make_mesh):
        yield
