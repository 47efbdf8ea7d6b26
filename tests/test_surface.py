"""What earlier versions offered is there still: names, keys, flags and parameters."""

import functools
import importlib
import inspect
import json

import jax
import numpy as np
import pytest
from absl.flags import FlagValues
from flax.traverse_util import flatten_dict
from test_compatibility import FIXTURES, assert_same_numbers

import dann_jax
from dann_jax import Dann, DialogueEncoder
from dann_jax.models.network import initialise
from dann_jax.types import UNKNOWN, Batch

COMMANDS = ("evaluate", "export", "predict", "prepare", "report", "train")


@pytest.fixture(scope="module")
def surface() -> dict:
    """What the earlier version offered, as `surface.json` lists it."""
    return json.loads((FIXTURES / "surface.json").read_text())


def test_every_public_name_is_there_still(surface: dict) -> None:
    found = public_names()
    for name, kind in surface["names"].items():
        assert name in found, f"dann_jax.{name} is gone"
        assert found[name] == kind, name


def test_every_key_of_a_config_is_there_still_with_its_default(surface: dict) -> None:
    assert_same_numbers(config_defaults(), surface["config"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_is_there_still_with_its_default(
    surface: dict, command: str
) -> None:
    assert_same_numbers(flags_of(command), surface["flags"][command])


def test_every_parameter_has_its_name_and_shape_still(surface: dict) -> None:
    found = parameter_shapes()
    for variant, shapes in surface["parameters"].items():
        assert found[variant] == shapes, variant


def public_names() -> dict[str, str]:
    """Name -> function, class, or the type of a value."""

    def kind(value: object) -> str:
        if inspect.isclass(value):
            return "class"
        return "function" if inspect.isfunction(value) else type(value).__name__

    return {name: kind(getattr(dann_jax, name)) for name in dann_jax.__all__}


def config_defaults() -> dict:
    return json.loads(json.dumps(dann_jax.base_config().to_dict()))


def flags_of(command: str) -> dict[str, object]:
    """Flag -> its default."""
    module = importlib.import_module(f"dann_jax.cli.{command}")
    (own,) = (held for held in vars(module).values() if isinstance(held, FlagValues))
    return {name: own[name].default for name in own}


FRAMES = {
    "attentive": {"width": 4, "kernels": [3], "dilations": [1]},
    "tdnn_lstm": {"width": 4, "kernels": [3], "dilations": [1]},
    "waveform": {"width": 4, "filters": 4, "kernels": [3], "dilations": [1]},
}
ENCODERS = {
    "utterance": {"width": 4, "context": False},
    "conversation": {"width": 4, "heads": 2},
    "own": {"width": 4, "heads": 2, "own_heads": 1, "own_turns": True},
    **{
        name: {"width": 4, "context": False, "frames": {"name": name, **options}}
        for name, options in FRAMES.items()
    },
}
"""Variant -> keyword arguments of `DialogueEncoder`."""
HEADS = {
    "plain": {},
    "conditional": {"conditional": ("speaker",)},
    "class_wise": {"class_wise": ("speaker",)},
    "generator": {"generator_hidden": (4,)},
}
"""Variant -> further keyword arguments of `Dann`."""


def parameter_shapes() -> dict[str, dict[str, list[int]]]:
    """Variant -> name of a parameter -> its shape."""
    variants = {name: (options, {}) for name, options in ENCODERS.items()}
    variants |= {name: (ENCODERS["utterance"], heads) for name, heads in HEADS.items()}
    found = {}
    for variant, (encoder, heads) in variants.items():
        module = Dann(DialogueEncoder(**encoder), 3, {"speaker": 2}, **heads)
        batch = one_batch(framewise=variant in FRAMES)
        init = functools.partial(initialise, module, batch)
        shapes = jax.eval_shape(init, jax.random.key(0))
        flat = flatten_dict(shapes, sep="/")
        found[variant] = {name: list(leaf.shape) for name, leaf in flat.items()}
    return found


def one_batch(*, framewise: bool) -> Batch:
    """Two dialogues of three turns, of vectors or of 40 frames."""
    shape = (2, 3)
    ids = np.full(shape, UNKNOWN, np.int32)
    visible = np.ones(shape, bool)
    inputs = np.zeros((*shape, 40, 8) if framewise else (*shape, 8), np.float32)
    return Batch(
        inputs={"sound": inputs},
        present={"sound": visible},
        visible=visible,
        party=np.zeros(shape, np.int32),
        label=ids,
        domain={"speaker": ids},
        row=ids,
        num_frames={"sound": np.full(shape, 40, np.int32)} if framewise else {},
    )
