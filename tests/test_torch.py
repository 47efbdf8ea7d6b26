"""What needs PyTorch, in a process of its own, where there is one that has it."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from pretrained_models import NAMES, expected, waveforms
from processes import has_modules

from dann_jax.models import pretrained

pytestmark = pytest.mark.slow

TESTS = pathlib.Path(__file__).parent
PYTHON = os.environ.get("DANN_JAX_TORCH_PYTHON", sys.executable)


def python_with(*modules: str) -> str:
    """A Python that can import these; the test skips where there is none."""
    if not has_modules(PYTHON, *modules):
        pytest.skip(
            f"no {' and '.join(modules)} here; set DANN_JAX_TORCH_PYTHON to a Python "
            "that has them (CONTRIBUTING.md says how)"
        )
    return PYTHON


def test_the_peer_of_the_benchmarks_is_the_main_system_in_pytorch() -> None:
    command = [python_with("torch", "jax", "pytest"), "-m", "pytest", "-q"]
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    # Without the conftest, which keeps the others from collecting that file.
    command += ["--noconftest", "-p", "no:cacheprovider"]
    ended = subprocess.run(
        [*command, str(TESTS / "torch_peer_agreement.py")],
        capture_output=True,
        text=True,
        cwd=TESTS.parent,
        env=os.environ | {"PYTHONPATH": path},
        timeout=600,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout and "skipped" not in ended.stdout


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> pathlib.Path:
    """Other random weights than the fixtures', in a process that knows no JAX."""
    folder = tmp_path_factory.mktemp("reference")
    script = str(TESTS / "pretrained_reference.py")
    command = [python_with("torch", "transformers"), script, str(folder), "--seed=1"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_hidden_states_are_those_of_transformers(name: str, reference) -> None:
    model = pretrained.load(reference / name)
    found = pretrained.hidden_states(
        model, waveforms(name, reference), pooling="frames", batch_seconds=10
    )
    for index, frames in enumerate(found):
        wanted = expected(name, reference)[f"states_{index}"].transpose(1, 0, 2)
        np.testing.assert_allclose(frames, wanted, atol=1e-4, rtol=0)
