"""Speaker-invariant emotions without the tested speakers: the parts are connected."""

import json
import pathlib

import jax
import numpy as np
import pytest
from frame_corpus import apart, few_steps, tiny, write_frames
from ml_collections import ConfigDict
from test_configs import load

from dann_jax.bundle import load_bundle
from dann_jax.data.readers.table import read_feature_table
from dann_jax.experiment.build import build_network, build_task_and_layout
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.models.network import as_apply, initialise
from dann_jax.objectives import OBJECTIVES
from dann_jax.tasks.roles import Role
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.types import UNKNOWN, Array, Batch, Outputs

SPEAKERS = ["ann", "bob", "cem", "dea", "eva"]


def emotions(folder: pathlib.Path, variant: str) -> ConfigDict:
    source = write_frames(
        folder / "emotions",
        modality="logmel",
        dim=6,
        people={"speaker": SPEAKERS},
        label_column="emotion",
        labels=("anger", "happiness", "neutral", "sadness"),
    )
    changes = {
        "data.source": str(source),
        # One layer before the LSTM, which takes long enough to compile.
        "encoder.frames.kernels": (3,),
        "encoder.frames.dilations": (1,),
    }
    return tiny("tu2019", variant, changes)


@pytest.mark.parametrize("variant", ["emodb", "emodb-crossgrad"])
def test_nothing_of_a_tested_speaker_is_in_training(
    tmp_path: pathlib.Path, variant: str
) -> None:
    task, layout = build_task_and_layout(emotions(tmp_path, variant))
    assert len(task.protocol.folds) == 5 and not task.protocol.transductive
    tested = task.protocol.roles == Role.TEST
    np.testing.assert_array_equal(task.protocol.visible(), ~tested)
    np.testing.assert_array_equal(task.training.domain["speaker"] == UNKNOWN, tested)
    plan = task.plan(task.protocol.visible())
    loader = BatchLoader(task.training, plan, layout, shuffle=True)
    batch = loader.index_batch(0)
    for fold, rows in zip(layout.fold_of, batch.row, strict=True):
        assert not tested[fold, rows[rows != UNKNOWN]].any()


@pytest.mark.slow
def test_a_run_ends_with_results_and_a_bundle_that_hears_frames(
    tmp_path: pathlib.Path,
) -> None:
    config = emotions(tmp_path, "emodb")
    config.timetable.epochs = 1
    config.analysis.update(rows=20, replicas=1, maps=("pca",))
    results = train_and_evaluate(config, tmp_path / "run")
    assert not results["protocol"]["transductive"]
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    # The adversary changes the encoder, and by it what the label head learns.
    assert line["dann/loss/label"] != line["source_only/loss/label"]
    found = json.loads((tmp_path / "run" / "analysis.json").read_text())
    assert len(found["maps"]["points"]["source_only"]["input"]["pca"]) == 20
    corpus = read_feature_table(tmp_path / "emotions")
    probabilities = load_bundle(tmp_path / "run").predict_corpus(corpus)
    assert probabilities.shape == (40, 4)
    np.testing.assert_allclose(probabilities.sum(1), 1.0, rtol=1e-5)


@pytest.mark.slow
def test_cross_gradients_change_the_encoder(tmp_path: pathlib.Path) -> None:
    _, layout, state = few_steps(emotions(tmp_path, "emodb-crossgrad"))
    assert list(layout.arms)[1] == "crossgrad"
    assert apart(state.params["encoder"]) > 1e-5


def test_cross_gradients_move_frames_and_leave_what_pads_them(
    tmp_path: pathlib.Path,
) -> None:
    config = emotions(tmp_path, "emodb-crossgrad")
    task, layout = build_task_and_layout(config)
    plan = task.plan(task.protocol.visible())
    batch = BatchLoader(task.training, plan, layout, shuffle=True).batch(0)
    batch = jax.tree.map(lambda leaf: leaf[0], batch)
    network = build_network(config, task)
    forward = as_apply(network)
    seen = []

    def watching(params, batch, strength, key) -> Outputs:
        seen.append(batch.inputs["logmel"])
        return forward(params, batch, strength, key)

    @jax.jit
    def moved_frames(batch: Batch) -> list[Array]:
        params = initialise(network, batch, jax.random.key(0))
        apply = OBJECTIVES["cross_gradient"]().apply
        apply(watching, params, batch, {"speaker": 1.0}, jax.random.key(1), ())
        return seen[-2:]

    frames, counts = batch.inputs["logmel"], batch.num_frames["logmel"]
    real = np.arange(frames.shape[-2]) < counts[..., None]
    assert 0 < real.sum() < real.size
    for moved in moved_frames(batch):
        assert not np.asarray(moved)[~real].any()
        gap = np.abs(moved - frames)[real & (batch.label != UNKNOWN)[..., None]]
        assert 0 < gap.max() <= 0.1001


@pytest.mark.parametrize("corpus", ["emodb", "ravdess", "emovo"])
def test_every_corpus_has_both_strategies(corpus: str) -> None:
    adversary, moved = (
        load("tu2019").get_config(corpus + x) for x in ("", "-crossgrad")
    )
    assert adversary.objective.name == "dann"
    assert moved.objective.name == "cross_gradient"
    assert adversary.protocol == moved.protocol and not moved.protocol.unlabelled


def test_an_unknown_variant_names_the_corpora() -> None:
    with pytest.raises(ValueError, match="emodb, ravdess, emovo"):
        load("tu2019").get_config("nonsense-crossgrad")
