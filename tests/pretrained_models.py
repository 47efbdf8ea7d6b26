"""The encoders that the tests of `models.pretrained` share."""

import pathlib
import shutil

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dann_jax.models import pretrained

FIXTURES = pathlib.Path(__file__).parent / "fixtures" / "pretrained"
NAMES = sorted(path.parent.name for path in FIXTURES.glob("*/config.json"))


def expected(name: str, folder: pathlib.Path = FIXTURES) -> dict[str, np.ndarray]:
    """What transformers gave: sound and hidden states."""
    with np.load(folder / name / "expected.npz") as file:
        return dict(file)


def waveforms(name: str, folder: pathlib.Path = FIXTURES) -> list[np.ndarray]:
    """The two recordings."""
    values = expected(name, folder)
    return [values[f"waveform_{index}"].astype(np.float32) for index in range(2)]


def copied(name: str, folder: pathlib.Path, **tensors) -> pathlib.Path:
    """A copy of a model with other tensors: name -> array, None for none."""
    shutil.copytree(FIXTURES / name, folder)
    path = folder / "model.safetensors"
    values = {**load_file(path), **tensors}
    path.unlink()
    save_file({key: value for key, value in values.items() if value is not None}, path)
    return folder


def equal(one: pretrained.Pretrained, other: pretrained.Pretrained) -> bool:
    """Whether two have the same parameters."""
    return jax.tree.all(jax.tree.map(np.array_equal, one.params, other.params))


def refused(folder: pathlib.Path, **options) -> str:
    """The one line that loading the folder ends with."""
    with pytest.raises(pretrained.PretrainedError) as caught:
        pretrained.load(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message
