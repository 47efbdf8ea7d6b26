"""A learned mean of layers: what it computes, where it stands, what is kept of it."""

import dataclasses
import pathlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bundles import tiny_description, write_tiny
from config_steps import load_config, tiny, utterances
from corpora_and_batches import network_params
from flax.core import unfreeze
from layered_corpus import WIDTH, layered, layered_frames, write_layered
from reports import made_up_results

from dann_jax.bundle.description import modalities_of
from dann_jax.data.corpus import Corpus
from dann_jax.evaluation.layer_weights import layer_weights
from dann_jax.experiment.build import build_network, build_task_and_layout, encoder_of
from dann_jax.models.layer_mix import SCALE, LayerMix, mixed_weights
from dann_jax.models.network import as_apply, build, initialise
from dann_jax.report.run import RunFiles
from dann_jax.report.sections.layers import layers_section
from dann_jax.tasks.batches import Assembler
from dann_jax.types import Batch, PyTree

LAYERS = (0, 2, 5)


def mixed(x: np.ndarray, logits: list[float]) -> np.ndarray:
    params = {"logits": jnp.float32(logits) / SCALE}
    return LayerMix(len(logits)).apply({"params": params}, x)


def test_it_is_the_mean_by_the_softmax_of_the_logits() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 3 * WIDTH)).astype(np.float32)
    by_layer = x.reshape(2, 5, 3, WIDTH)
    np.testing.assert_allclose(mixed(x, [0, 0, 0]), by_layer.mean(2), atol=1e-6)
    weighted = mixed(x, [np.log(1), np.log(2), np.log(5)])
    expected = by_layer[:, :, 0] / 8 + by_layer[:, :, 1] / 4 + 5 * by_layer[:, :, 2] / 8
    np.testing.assert_allclose(weighted, expected, atol=1e-6)


def batch_of(corpus: Corpus, rows: int = 6) -> Batch:
    """The first utterances, each a dialogue, not standardised."""
    dim = next(iter(corpus.features.values())).shape[-1]
    nothing = np.zeros((1, dim), np.float32)
    assembler = Assembler(
        corpus,
        visible=np.ones((1, len(corpus)), bool),
        label=np.zeros((1, len(corpus)), np.int32),
        domain={"speaker": np.zeros((1, len(corpus)), np.int32)},
        standardiser={"pretrained": (nothing, nothing + 1)},
    )
    batch = assembler(np.arange(rows)[None], 1, [0])
    return jax.tree.map(lambda leaf: leaf[0], batch)


def network(layers: int, **encoder):
    return build(
        encoder={
            **{"width": 8, "context": False},
            **({"layers": {"pretrained": layers}} if layers > 1 else {}),
            **encoder,
        },
        heads={"domain_hidden": (4,)},
        num_labels=4,
        num_domains={"speaker": 4},
    )


def outputs(module, params: PyTree, batch: Batch):
    # Compiled as a whole: one operation after the other takes seconds.
    return jax.jit(lambda *given: as_apply(module)(*given, {"speaker": 1.0}, None))(
        params, batch
    )


@pytest.mark.parametrize("make", [layered, layered_frames])
def test_an_untrained_network_is_that_of_the_mean_of_the_layers(make) -> None:
    """The mix comes first: of frames, before whatever pools them."""
    batch = batch_of(make(utterances(), LAYERS))
    params = jax.jit(partial(initialise, network(3)))(batch, jax.random.key(0))
    given = batch.inputs["pretrained"]
    mean = given.reshape(*given.shape[:-1], 3, WIDTH).mean(-2)
    single = unfreeze(params)
    single["encoder"] = dict(single["encoder"])
    assert single["encoder"].pop("layers_pretrained")["logits"].shape == (3,)
    alone = outputs(network(1), single, batch._replace(inputs={"pretrained": mean}))
    found = outputs(network(3), params, batch)
    np.testing.assert_allclose(found.features, alone.features, atol=1e-5)


@pytest.mark.parametrize("make", [layered, layered_frames])
def test_no_statistic_of_an_utterance_looks_at_another(make) -> None:
    batch = batch_of(make(utterances(), LAYERS))
    params, module = network_params(network(3), batch), network(3)
    compute = jax.jit(partial(outputs, module))
    changed = {"pretrained": batch.inputs["pretrained"].copy()}
    changed["pretrained"][0] = np.nan
    before, after = (
        jax.device_get(compute(params, each))
        for each in (batch, batch._replace(inputs=changed))
    )
    for one, other in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        # Same program: not a bit of the others may move.
        np.testing.assert_array_equal(one[1:], other[1:])
        assert np.isnan(other[0]).any()


def test_the_emotion_and_the_adversary_both_move_the_weights() -> None:
    batch = batch_of(layered(utterances(), LAYERS))
    module = network(3)
    params = network_params(module, batch)

    def slope(output: str, strength: float) -> np.ndarray:
        def loss(params: PyTree) -> jax.Array:
            found = as_apply(module)(params, batch, {"speaker": strength}, None)
            logits = {"label": found.label_logits, **found.domain_logits}[output]
            return (logits**2).mean()

        gradient = jax.jit(jax.grad(loss))(params)
        return gradient["encoder"]["layers_pretrained"]["logits"]

    assert (slope("label", 0.0) != 0).all()
    assert (slope("speaker", 0.0) == 0).all()
    hidden, hidden_twice = slope("speaker", 1.0), slope("speaker", 2.0)
    assert (hidden != 0).all()
    np.testing.assert_allclose(hidden_twice, 2 * hidden, rtol=1e-5)


def config_for(corpus: Corpus, folder: pathlib.Path, **changes):
    source = write_layered(folder, corpus)
    return tiny(load_config("speakers:emodb"), source, **changes)


def test_the_network_of_a_run_mixes_the_layers_that_its_corpus_names(
    tmp_path: pathlib.Path,
) -> None:
    config = config_for(layered(utterances(), LAYERS), tmp_path)

    def encoder(**changes) -> dict:
        changed = config.copy_and_resolve_references()
        changed.update_from_flattened_dict(changes)
        task, _ = build_task_and_layout(changed)
        made = encoder_of(changed, task)
        assert build_network(changed, task).encoder.layers == made.get("layers", {})
        return made

    assert encoder()["layers"] == {"pretrained": 3}
    assert encoder(**{"data.layers": (2, 5)})["layers"] == {"pretrained": 2}
    # Then all is as it is for features without layers.
    single = encoder(**{"data.layers": (5,)})
    assert not {"layers", "concatenate_layers"} & set(single)
    assert "layers" not in encoder(**{"encoder.concatenate_layers": True})


def test_to_concatenate_what_has_one_layer_is_refused(tmp_path: pathlib.Path) -> None:
    config = config_for(layered(utterances(), LAYERS), tmp_path)
    changes = {"encoder.concatenate_layers": True, "data.layers": (2,)}
    config.update_from_flattened_dict(changes)
    with pytest.raises(ValueError, match="concatenate_layers has no effect: none of"):
        build_task_and_layout(config)


def test_an_older_run_has_no_mix(tmp_path: pathlib.Path) -> None:
    config = config_for(layered(utterances(), LAYERS), tmp_path)
    task, _ = build_task_and_layout(config)
    older = config.copy_and_resolve_references().unlock()
    del older.encoder.concatenate_layers
    assert "layers" not in encoder_of(older, task)


def test_a_bundle_keeps_the_mix(tmp_path: pathlib.Path) -> None:
    corpus = layered(utterances(), LAYERS)
    encoder = {"width": 4, "context": False, "layers": {"pretrained": 3}}
    description = tiny_description(modalities_of(corpus), encoder=encoder)
    bundle = write_tiny(tmp_path / "bundle", description)
    assert mixed_weights(bundle.params)["pretrained"].shape == (2, 3)
    assert bundle.predict_corpus(corpus).shape == (len(corpus), 3)


def test_the_weights_of_each_arm_are_means_over_folds_and_seeds() -> None:
    logits = np.log([[[1.0, 1.0, 2.0], [1.0, 3.0, 4.0]], [[1, 1, 2], [3, 1, 4]]])
    # A group that only fills up the devices.
    padded = np.concatenate([logits, np.full((1, 2, 3), 9.0)]) / SCALE
    params = {"encoder": {"layers_pretrained": {"logits": padded}, "fusion": {}}}

    @dataclasses.dataclass
    class TwoGroups:
        num_groups = 2
        arms = ("source_only", "dann")

    found = layer_weights(params, {"pretrained": LAYERS}, TwoGroups())["pretrained"]
    assert found["numbers"] == list(LAYERS)
    weights = found["weights"]
    np.testing.assert_allclose(weights["source_only"]["mean"], [0.25, 0.25, 0.5])
    np.testing.assert_allclose(weights["dann"]["mean"], [0.25, 0.25, 0.5])
    np.testing.assert_allclose(weights["dann"]["std"], [0.125, 0.125, 0.0], atol=1e-7)
    assert layer_weights({"encoder": {"fusion": {}}}, {}, TwoGroups()) == {}


def test_the_report_draws_them() -> None:
    run = RunFiles("run", made_up_results())
    assert layers_section(run) is None
    own = {"mean": [0.25, 0.75], "std": [0.0, 0.01]}
    weights = dict.fromkeys(run.arms, own)
    layers = {"pretrained": {"numbers": [0, 3], "weights": weights}}
    drawn = layers_section(run._replace(results={**run.results, "layers": layers}))
    assert "layer 3" in str(drawn.content) and "75.0" in str(drawn.content)
