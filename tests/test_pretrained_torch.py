"""The Flax encoders against transformers itself, where it can be run."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from pretrained_models import NAMES, expected, waveforms

from dann_jax.models import pretrained

SCRIPT = pathlib.Path(__file__).with_name("pretrained_reference.py")


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> pathlib.Path:
    """Other random weights than the fixtures', in a process that knows no JAX."""
    python = os.environ.get("DANN_JAX_TORCH_PYTHON", sys.executable)
    tried = [python, "-c", "import torch, transformers"]
    if subprocess.run(tried, capture_output=True, check=False).returncode:
        pytest.skip(
            "no torch and transformers; install dann_jax[transformers], or set "
            "DANN_JAX_TORCH_PYTHON to a Python that has them"
        )
    folder = tmp_path_factory.mktemp("reference")
    command = [python, str(SCRIPT), str(folder), "--seed=1"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_hidden_states_are_those_of_transformers(name: str, reference) -> None:
    model = pretrained.load(reference / name)
    found = pretrained.hidden_states(
        model, waveforms(name, reference), pooling="frames", batch_seconds=10
    )
    for index, frames in enumerate(found):
        wanted = expected(name, reference)[f"states_{index}"].transpose(1, 0, 2)
        np.testing.assert_allclose(frames, wanted, atol=1e-4, rtol=0)
