"""What every test shares: eight simulated devices and the real corpora."""

import atexit
import gc
import multiprocessing.forkserver
import os
import pathlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator

import jax
import pytest
from jaxtyping import install_import_hook

# Before anything of the package is imported: shapes that annotations give are checked.
install_import_hook(
    ["dann_jax.objectives", "dann_jax.models", "dann_jax.evaluation.metrics"],
    "shape_checks.checked",
)
from few_devices import use_few_devices  # noqa: E402
from shared_contexts import share_contexts  # noqa: E402
from shared_draws import share_draws  # noqa: E402
from shared_programs import share_programs  # noqa: E402

from dann_jax.training import program  # noqa: E402
from dann_jax.training.compilation import use_compilation_cache  # noqa: E402

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
_QUICK = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1"
if jax.__version_info__ < (0, 11):
    # XLA's earlier emitters take a third of the time. Later versions lack them, and end
    # a process that names a flag they do not know.
    _QUICK += " --xla_cpu_use_fusion_emitters=false"
os.environ["XLA_FLAGS"] = f"{_QUICK} {os.environ.get('XLA_FLAGS', '')}"
program._RUNS_ONCE["xla_backend_optimization_level"] = 0
share_contexts()
share_draws()
share_programs()
use_few_devices()
# A command that tests start would compile the whole package's source first, and pytest
# all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Keras, which nobody uses, is half of what TensorFlow imports. It looks for the old one
# instead, and goes on without.
os.environ["TF_USE_LEGACY_KERAS"] = "1"

# What they keep for later is not for the user's cache. Workers of pytest-xdist, and the
# commands that they start, have the environment of the process that started them: what
# one has compiled or prepared the others need not.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="dann_jax_tests_")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
# Compiling is most of the time. Who sets the folder keeps it for the next time.
_COMPILED = pathlib.Path(os.environ["XDG_CACHE_HOME"], "xla")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_COMPILED))
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
use_compilation_cache()

# Worker processes are forked from one that has imported what they compute with; each
# would take two seconds for it.
_OF_WORKERS = [
    *("dann_jax.data.features.catalogue", "dann_jax.data.features.extraction_worker"),
    *("dann_jax.data.store", "librosa.filters", "librosa.util.utils", "scipy.signal"),
    "soundfile",
]


def pytest_collection_finish() -> None:
    """What all tests share from here on need not be gone through for garbage again.

    Nor do traced and compiled programs, millions of objects, that nothing will free.
    """
    multiprocessing.set_forkserver_preload(_OF_WORKERS)
    multiprocessing.forkserver.ensure_running()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 50)


def pytest_sessionfinish() -> None:
    """What is left is gone through for garbage once; pytest would five times."""
    gc.collect()
    gc.freeze()


# They need PyTorch, which is run in processes of its own and need not be installed.
collect_ignore = ["pretrained_reference.py", "torch_peer_agreement.py"]


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


# Where rows, groups and classes meet: an axis too few is broadcast into a wrong number.
_EXPLICIT_RANKS = (
    *("test_batch_losses", "test_discrepancy", "test_groups", "test_losses"),
    *("test_metrics", "test_models", "test_objectives", "test_objectives_table"),
    *("test_penalties", "test_reversal", "test_stateful_objectives"),
)


@pytest.fixture(autouse=True)
def _explicit_ranks(request: pytest.FixtureRequest) -> Iterator[None]:
    """JAX refuses to add axes by itself in tests of losses, objectives and heads."""
    explicit = getattr(request.module, "__name__", "") in _EXPLICIT_RANKS
    with jax.numpy_rank_promotion("raise" if explicit else "allow"):
        yield
