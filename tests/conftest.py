"""What every test shares: eight simulated devices and the real corpora."""

import os
import pathlib

import jax
import pytest

# Before JAX is used for anything: the sharding tests need more than one device.
jax.config.update("jax_num_cpu_devices", 8)


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder of real corpora; the test skips where it is absent."""
    beside = pathlib.Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = pathlib.Path(os.environ.get("DANN_JAX_DATA", beside)).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real corpora at {folder}; set DANN_JAX_DATA to their folder")
    return folder
