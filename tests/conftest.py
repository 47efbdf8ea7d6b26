"""What every test shares: eight simulated devices and the real corpora."""

import os
import pathlib
import shutil
import signal
import tempfile
from collections.abc import Iterator

import jax
import pytest

from dann_jax.training.compilation import use_compilation_cache

# What a shell starts in the background ignores Ctrl-C, and so would what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Under nohup the tests ignore SIGHUP, and so would what they start; what is handled
# here, if only by doing nothing, is not handed down.
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# Before JAX is used for anything: the sharding tests need more than one device.
jax.config.update("jax_num_cpu_devices", 8)

# Most of what tests do, here and in the commands that they start, is to compile what
# runs once.
_GIVEN = os.environ.get("XLA_FLAGS", "")
os.environ["XLA_FLAGS"] = f"--xla_backend_optimization_level=0 {_GIVEN}"

# What they keep for later is not for the user's cache.
_CACHE = os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="dann_jax_tests_")
use_compilation_cache()


# It needs PyTorch, which is run in a process of its own and need not be installed.
collect_ignore = ["pretrained_reference.py"]

# With several workers (`-n 2 --dist loadfile`) nobody should be left alone with these.
_LONGEST = ("test_resume", "test_system_tu2019", "test_distributed", "test_experiment")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the order in which files are handed out; xdist's own goes by their tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    items.sort(key=lambda item: item.path.stem not in _LONGEST)


@pytest.fixture(scope="session", autouse=True)
def _own_cache() -> Iterator[None]:
    yield
    shutil.rmtree(_CACHE, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder of real corpora; the test skips where it is absent."""
    beside = pathlib.Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = pathlib.Path(os.environ.get("DANN_JAX_DATA", beside)).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real corpora at {folder}; set DANN_JAX_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def shared_models() -> pathlib.Path:
    """The folder of real encoder weights; the test skips where it is absent."""
    beside = pathlib.Path(__file__).parents[1] / ".." / "shared" / "models"
    folder = pathlib.Path(os.environ.get("DANN_JAX_MODELS", beside)).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real weights at {folder}; set DANN_JAX_MODELS to their folder")
    return folder
