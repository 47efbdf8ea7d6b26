"""A config may name modules of the user's own; a bundle imports them when told to."""

import pathlib
import sys
from collections.abc import Iterator

import jax
import numpy as np
import pytest
from bundles import drawn_params, drawn_standardiser, tiny_description
from commands import Call
from commands import call as call
from corpora_and_batches import toy_batch, toy_corpus
from runs import tiny_config

from dann_jax.bundle import Bundle, BundleError, load_bundle, write_bundle
from dann_jax.bundle.description import modalities_of
from dann_jax.cli import predict
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.models import network
from dann_jax.models.network import initialise
from dann_jax.objectives import source_only
from dann_jax.objectives.penalised import penalised
from dann_jax.training.program import Program
from dann_jax.training.timetable import Timetable
from dann_jax.types import Outputs
from dann_jax.utils.named import lookup

MODULE = """
import jax.numpy as jnp
from flax import linen as nn
from dann_jax import DialogueEncoder, source_only
from dann_jax.models.frames import FrameEncoder

class Mean(nn.Module):
    width: int
    heads: int
    own_heads: int
    own_turns: bool
    dropout: float
    dtype: jnp.dtype
    @nn.compact
    def __call__(self, x, visible, party, *, deterministic):
        x = nn.Dense(self.width, name="mine")(x) * visible[..., None]
        return jnp.broadcast_to(x.mean(1, keepdims=True), x.shape)

class Encoder(DialogueEncoder):
    extra: int = 3
    @nn.compact
    def __call__(self, batch, *, deterministic):
        features = super().__call__(batch, deterministic=deterministic)
        return nn.Dense(self.extra)(features)

class Frames(FrameEncoder):
    pass

class Utterance(nn.Module):
    width: int
    dropout: float
    dtype: jnp.dtype
    hidden: int = 3
    @nn.compact
    def __call__(self, inputs, present, *, deterministic):
        x = [jnp.where(present[n][..., None], inputs[n], 0) for n in sorted(inputs)]
        hidden = nn.tanh(nn.Dense(self.hidden)(jnp.concatenate(x, -1)))
        return nn.Dense(self.width)(hidden)

def penalty(*, power: float = 2.0):
    def value(outputs, batch, name):
        return (abs(outputs.features) ** power).mean()
    return value

def objective(*, factor: float = 1.0):
    base = source_only()
    def loss(outputs, batch, strength):
        value, metrics = base(outputs, batch, strength)
        return factor * value, metrics
    return loss
"""


@pytest.fixture
def module(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of the user's own, which is not imported yet."""
    (tmp_path / "their_own.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "their_own"
    sys.modules.pop("their_own", None)


def parameters(encoder: dict) -> dict:
    """Shapes of a network's parameters."""
    encoder = {"width": 4, "heads": 2, **encoder}
    module = network.build(encoder=encoder, heads={}, num_labels=2, num_domains={})
    batch = toy_batch()._replace(domain={})
    return jax.eval_shape(lambda: initialise(module, batch, jax.random.key(0)))


def test_an_encoder_of_context_of_ones_own_stands_where_the_packages_stood(
    module: str,
) -> None:
    found = parameters({"context_encoder": f"{module}:Mean"})
    assert set(found["encoder"]["context"]) == {"mine"}
    ours = parameters({"context_encoder": "gru_attention"})
    assert jax.tree.structure(ours) == jax.tree.structure(parameters({}))


def test_an_encoder_of_ones_own_takes_the_same_keys_and_more(module: str) -> None:
    found = parameters({"name": f"{module}:Encoder", "extra": 5})
    assert found["label_head"]["Dense_0"]["kernel"].shape[0] == 5
    with pytest.raises(ValueError, match="nonsense"):
        parameters({"name": f"{module}:Encoder", "nonsense": 5})


def test_an_encoder_of_utterances_of_ones_own_has_arguments_of_its_own(
    module: str,
) -> None:
    own = {"name": f"{module}:Utterance", "hidden": 5}
    found = parameters({"utterance": own})
    assert found["encoder"]["fusion"]["Dense_0"]["kernel"].shape[-1] == 5
    assert found["label_head"] == parameters({})["label_head"]
    for wrong in ({"nonsense": 5}, {"width": 5}):
        with pytest.raises(ValueError, match="no argument .*; it has hidden"):
            parameters({"utterance": own | wrong})
    ours = parameters({"utterance": {"name": "attention"}})
    assert jax.tree.structure(ours) == jax.tree.structure(parameters({}))


def test_a_penalty_of_ones_own_is_added_with_its_strength(module: str) -> None:
    outputs = Outputs(np.full((3, 2), 2.0), np.zeros((3, 2)), {})
    batch = toy_batch()._replace(label=np.array([0, 1, 1]), domain={})
    own = {"name": f"{module}:penalty", "power": 3.0, "on": "speaker", "weight": 0.5}
    loss, metrics = penalised(source_only(), {"mine": own})(
        outputs, batch, {"mine": 0.1}
    )
    assert metrics["mine/speaker"] == 8.0
    np.testing.assert_allclose(loss - metrics["loss/label"], 0.1 * 0.5 * 8.0, rtol=1e-5)
    with pytest.raises(ValueError, match="penalty 'mine': .*'strange'"):
        penalised(source_only(), {"mine": own | {"strange": 1}})


def program_of(changes: dict) -> Program:
    config = tiny_config("synthetic", {"encoder.context": False})
    config.unlock()
    config.update_from_flattened_dict(changes)
    task, layout = build_task_and_layout(config)
    return compiled(config, task, layout, Timetable(1, **config.timetable))


def test_an_objective_of_ones_own_takes_its_arguments_from_the_config(
    module: str,
) -> None:
    changes = {"objective": {"name": f"{module}:objective", "factor": 2.0}}
    assert program_of(changes).train_step is not None
    changes["objective"]["factor"] = "two"
    with pytest.raises(ValueError, match=r"config\.objective\.factor must be a number"):
        program_of(changes)
    changes["objective"] = {"name": f"{module}:objective", "other": 2.0}
    with pytest.raises(ValueError, match="other"):
        program_of(changes)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("nowhere_at_all:Encoder", "nowhere_at_all"),
        ("math:Encoder", "Encoder"),
        (":Encoder", "cannot be imported"),
        ("math:", "cannot be imported"),
        ("encodr", "did you mean encoder"),
        (7, "unknown name 7"),
    ],
)
def test_what_is_nowhere_is_named(word: object, told: str) -> None:
    with pytest.raises(ValueError, match=told) as error:
        lookup("config.place", word, {"encoder": 1})
    assert "config.place" in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    "own",
    [
        {"name": "their_own:Encoder"},
        {"context": True, "context_encoder": "their_own:Mean"},
        {"frames": {"name": "their_own:Frames"}},
        {"utterance": {"name": "their_own:Utterance", "hidden": 5}},
    ],
    ids=["encoder", "context", "frames", "utterance"],
)
def test_a_bundle_imports_what_is_not_ours_only_when_it_is_told_to(
    module: str, tmp_path: pathlib.Path, call: Call, own: dict
) -> None:
    corpus = toy_corpus()
    encoder = {"width": 4, "heads": 2, "context": False, **own}
    description = tiny_description(modalities_of(corpus), encoder=encoder)
    moments = drawn_standardiser(description)
    params = drawn_params(description)
    folder = write_bundle(tmp_path / "bundle", description, params, moments)
    expected = Bundle(description, params, moments).predict_corpus(corpus)
    sys.modules.pop(module, None)

    with pytest.raises(BundleError, match="their_own:.*allow_code=True"):
        load_bundle(folder)
    assert module not in sys.modules
    code, _, told = call(predict, f"--model={folder}", "some.wav")
    assert code == 1 and "--allow_code" in told
    assert module not in sys.modules

    loaded = load_bundle(folder, allow_code=True)
    assert loaded.description.encoder == encoder
    np.testing.assert_array_equal(loaded.predict_corpus(corpus), expected)
