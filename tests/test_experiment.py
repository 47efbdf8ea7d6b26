"""A whole run: what it leaves behind, what it must not see, and how it ends."""

import dataclasses
import functools
import json
import pathlib
import shutil
from collections.abc import Mapping
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import assert_trees_equal, network_params, stack
from etils import epath
from few_devices import all_devices as all_devices
from ml_collections import ConfigDict
from runs import loader_that_stops, tiny_config, tiny_corpus, write_table

from benchmarks.folds import difference
from benchmarks.studies.adversary_contrasts import counts_of_run
from dann_jax.data.corpus import Corpus
from dann_jax.evaluation.scorers import classes
from dann_jax.experiment import evaluate, train
from dann_jax.experiment.build import build_network, build_task_and_layout, compiled
from dann_jax.experiment.evaluate_again import evaluate_again
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.experiment.workdir import claim
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.checkpoint import open_checkpoints
from dann_jax.training.checkpoint_folders import CheckpointError
from dann_jax.training.chunks import Chunk
from dann_jax.training.compilation import measure_compilations
from dann_jax.training.loop import Timetable, TrainingDiverged, epoch_means, fit
from dann_jax.training.optimizer import make_optimizer
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.state import TrainState, create_state
from dann_jax.training.writer import open_writer
from dann_jax.types import Batch, PyTree
from dann_jax.utils.files import WorkdirError, strict

SOURCE_SESSIONS = ("1", "2")
CONFIG = {
    "batches.num_buckets": 1,
    "timetable.epochs": 3,
    "timetable.checkpoint_every": 1,
    "timetable.gradients_every": 2,
    # A GRU takes long to compile and changes nothing here.
    "encoder.context": False,
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("table"), tiny_corpus())


def metrics_of(workdir: pathlib.Path) -> list[dict]:
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run; `state` is the one that was scored."""

    workdir: pathlib.Path
    results: dict
    state: TrainState
    layout: ReplicaLayout
    compiled: list[str]

    @property
    def metrics(self) -> list[dict]:
        return metrics_of(self.workdir)

    @property
    def steps_per_epoch(self) -> int:
        return self.metrics[0]["step"]


def run(config: ConfigDict, workdir: pathlib.Path) -> Run:
    functions = []

    def listen(event: str, _: float, fun_name: str = "", **__: object) -> None:
        if event.endswith("backend_compile_duration"):
            functions.append(fun_name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    with mock.patch.object(
        classes, "score_classes", wraps=classes.score_classes
    ) as score:
        results = train_and_evaluate(config, workdir)
    jax.monitoring.unregister_event_duration_listener(listen)
    _, state, scored = score.call_args.args
    return Run(workdir, results, state, scored.layout, functions)


@pytest.fixture(scope="module")
def finished(table: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two arms of one fold and one seed; on eight devices, so with seven fillers."""
    workdir = tmp_path_factory.mktemp("runs") / "finished"
    # A test counts what a run compiles, which no other may have done.
    with mock.patch.object(train, "compiled", compiled):
        return run(tiny_config(table, CONFIG), workdir)


def bits(state: TrainState) -> PyTree:
    """Everything in a state as integers, so that equal means equal to the bit."""
    state = state.replace(key=jax.random.key_data(state.key))
    return jax.tree.map(
        lambda leaf: np.asarray(leaf).view(f"u{leaf.dtype.itemsize}"), state
    )


def assert_same_training(one: Run, other: Run) -> None:
    """The same last checkpoint and the same metrics, to the bit."""
    states = []
    for finished in (one, other):
        with open_checkpoints(finished.workdir / "checkpoints") as checkpoints:
            step = checkpoints.latest_step()
            states.append(checkpoints.restore(step, finished.state, finished.layout))
    assert_trees_equal(*map(bits, states))
    lines = [[without_gradients(line) for line in r.metrics] for r in (one, other)]
    assert lines[0] == lines[1]


def without_gradients(line: Mapping[str, float]) -> dict[str, float]:
    """What a line of metrics has whether or not the gradients were looked at."""
    words = ("/gradient/", "/cosine/")
    return {k: v for k, v in line.items() if not any(word in k for word in words)}


def without_timing(results: Mapping) -> dict:
    return strict({key: own for key, own in results.items() if key != "timing"})


# What a run leaves behind.


def test_a_run_leaves_its_config_metrics_checkpoints_and_results(finished: Run) -> None:
    assert {path.name for path in finished.workdir.iterdir()} == {
        "config.json",
        "data.json",
        "environment.json",
        "metrics.jsonl",
        "checkpoints",
        "bundle",
        "results.json",
    }
    steps = finished.steps_per_epoch
    kept = {path.name for path in (finished.workdir / "checkpoints").iterdir()}
    assert kept == {str(2 * steps), str(3 * steps)}
    assert [(line["step"], line["epoch"]) for line in finished.metrics] == [
        (steps, 1),
        (2 * steps, 2),
        (3 * steps, 3),
    ]
    results = json.loads((finished.workdir / "results.json").read_text())
    assert results == strict(finished.results)


def test_every_line_of_metrics_has_losses_strength_and_validation_of_every_arm(
    finished: Run,
) -> None:
    for line in finished.metrics:
        for arm in ("source_only", "dann"):
            for name in ("loss", "loss/label", "loss/speaker", "validation/ua"):
                assert np.isfinite(line[f"{arm}/{name}"])
        assert line["source_only/strength/speaker"] == 0.0
    strengths = [line["dann/strength/speaker"] for line in finished.metrics]
    assert 0.0 < strengths[0] < strengths[1] < strengths[2] < 1.0


def test_results_have_the_documented_shape(finished: Run) -> None:
    results = json.loads(json.dumps(strict(finished.results), allow_nan=False))
    assert set(results) == {
        "system",
        "corpora",
        "labels",
        "protocol",
        "replicas",
        "summary",
        "comparisons",
        "calibration",
        "cautions",
        "data",
        "timing",
    }
    assert results["system"] == "context-dependent DANN"
    assert results["corpora"] == ["toy"]
    assert results["labels"] == ["anger", "happiness", "neutral", "sadness"]
    assert results["protocol"] == {
        "name": "session 1, 2 -> 3, 4",
        "transductive": True,
        "selection": "source-validation",
        "allowed_leaks": [],
    }
    corpus = tiny_corpus()
    tested = ~np.isin(corpus.columns["session"], SOURCE_SESSIONS)
    tested &= corpus.columns["emotion"] != "surprise"
    replicas = results["replicas"]
    assert [replica["arm"] for replica in replicas] == ["source_only", "dann"]
    for replica in replicas:
        assert replica["fold"] == "1,2 -> 3,4" and replica["seed"] == 0
        assert replica["n_test"] == tested.sum() == np.sum(replica["confusion"])
        assert replica["selected_step"] in [line["step"] for line in finished.metrics]
        assert set(replica["domain_probe"]) == {"accuracy", "chance"}
        for metric in ("wa", "ua", "macro_f1"):
            assert 0.0 <= replica[metric] <= 1.0
    assert list(results["summary"]) == ["source_only", "dann"]
    for scores in results["summary"].values():
        assert set(scores) == {"wa", "ua", "macro_f1"}
        for score in scores.values():
            assert set(score) == {"mean", "std", "pooled", "ci95"}
            assert score["ci95"][0] <= score["pooled"] <= score["ci95"][1]
    assert [
        (entry["arm"], entry["against"], entry["metric"])
        for entry in results["comparisons"]
    ] == [("dann", "source_only", "wa"), ("dann", "source_only", "ua")]
    assert set(results["comparisons"][0]) == {
        "arm",
        "against",
        "metric",
        "difference",
        "ci95",
        "p_value",
        "p_corrected",
        "effect_size",
        "seeds_needed",
        "verdict",
        "sentence",
    }
    timing = results["timing"]
    assert set(timing) == {
        "resumed_from_step",
        "compile_s",
        "train_s",
        "utterances_per_s",
    }
    assert timing.pop("resumed_from_step") == 0
    assert all(value > 0.0 for value in timing.values())


def test_the_selected_step_is_the_last_with_the_best_validation_score(
    finished: Run,
) -> None:
    for replica in finished.results["replicas"]:
        name = f"{replica['arm']}/validation/ua"
        scores = [line[name] for line in finished.metrics]
        best = finished.metrics[np.flatnonzero(scores == np.max(scores))[-1]]
        assert replica["selected_step"] == best["step"]


def untrained(config: ConfigDict, workdir: pathlib.Path) -> dict:
    """The results of a run that is neither trained nor scored."""
    with (
        mock.patch.object(train, "fit", lambda state, **_: state),
        mock.patch.object(classes, "score_classes", return_value={}),
        mock.patch.object(evaluate, "bundle_run"),
    ):
        return train_and_evaluate(config, workdir)


def test_what_has_no_name_is_called_by_its_objective(
    table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = tiny_config(table, {**CONFIG, "system": ""})
    assert untrained(config, tmp_path)["system"] == "dann"


def test_standardising_by_speaker_makes_a_result_transductive(
    table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    changes = {**CONFIG, "protocol.unlabelled": ()}
    for column, transductive in (("", False), ("speaker", True)):
        config = tiny_config(table, {**changes, "data.standardise_by": column})
        config.adversaries.speaker.unlabelled = ()
        results = untrained(config, tmp_path / f"by {column}")
        assert results["protocol"]["transductive"] is transductive


# What a run must not see.


def with_test_labels_permuted(corpus: Corpus) -> Corpus:
    """The labels of all rows of the test sessions, in another order."""
    emotion = corpus.columns["emotion"].copy()
    tested = np.flatnonzero(~np.isin(corpus.columns["session"], SOURCE_SESSIONS))
    emotion[tested] = np.random.default_rng(1).permutation(emotion[tested])
    return dataclasses.replace(corpus, columns={**corpus.columns, "emotion": emotion})


@pytest.fixture(scope="module")
def permuted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """As `finished`, but for the labels of the test sessions."""
    folder = tmp_path_factory.mktemp("permuted")
    table = write_table(folder, with_test_labels_permuted(tiny_corpus()))
    changes = {**CONFIG, "timetable.gradients_every": 0}
    return run(tiny_config(table, changes), folder / "run")


def test_permuted_target_labels_and_a_look_at_gradients_change_no_bit_of_the_training(
    finished: Run, permuted: Run
) -> None:
    assert_same_training(finished, permuted)
    assert (
        finished.metrics
        != permuted.metrics
        == list(map(without_gradients, permuted.metrics))
    )


def test_gradients_in_the_encoder_are_logged_when_they_are_due(finished: Run) -> None:
    first, second, last = finished.metrics
    assert first == without_gradients(first)
    for line in (second, last):
        for arm in ("source_only", "dann"):
            assert line[f"{arm}/gradient/label"] > 0.0
            assert -1.0 <= line[f"{arm}/cosine/speaker"] <= 1.0
        assert line["source_only/gradient/speaker"] == 0.0
        assert line["dann/gradient/speaker"] > 0.0


def test_beside_every_metric_is_its_spread_over_replicas() -> None:
    layout = ReplicaLayout(["a", "b"], [0], {"one": {}, "two": {}}, make_mesh(4))
    # [steps, groups and two fillers, arms]
    steps = np.array(
        [[[1, 5], [3, 5], [9, 9], [9, 9]], [[3, 5], [5, 5], [9, 9], [9, 9]]]
    )
    assert epoch_means([{"loss": own} for own in steps], layout) == {
        "one/loss": 3.0,
        "one/loss/std": 1.0,
        "two/loss": 5.0,
        "two/loss/std": 0.0,
    }


def test_permuted_target_labels_change_the_scores_and_not_what_was_selected(
    finished: Run, permuted: Run
) -> None:
    for one, other in zip(
        finished.results["replicas"], permuted.results["replicas"], strict=True
    ):
        assert one["confusion"] != other["confusion"]
        assert one["selected_step"] == other["selected_step"]
        assert one["domain_probe"] == other["domain_probe"]


# Going on, and looking again.


def test_evaluated_again_a_run_has_the_same_numbers(finished: Run) -> None:
    before = (finished.workdir / "results.json").read_text()
    assert strict(evaluate_again(finished.workdir)) == strict(finished.results)
    assert (finished.workdir / "results.json").read_text() == before
    assert not (finished.workdir / "analysis.json").exists()


def test_benchmarks_count_again_what_the_results_are_of(
    finished: Run, table: pathlib.Path
) -> None:
    (expected,) = (x for x in finished.results["comparisons"] if x["metric"] == "ua")
    # Predicted, and then read.
    for _ in range(2):
        counts = counts_of_run(finished.workdir, table)
        gain, *ends, _, seeds = difference(counts["dann"], counts["source_only"])
        assert gain == pytest.approx(expected["difference"], abs=1e-5)
        assert ends == pytest.approx(expected["ci95"], abs=1e-5)
        assert seeds == 1
    # What is kept of a run is of its data and of no other.
    manifest = table / "manifest.csv"
    before = manifest.read_text()
    manifest.write_text(before.replace("anger", "surprise"))
    try:
        with pytest.raises(WorkdirError, match="emotion: 29 of 160 rows differ"):
            counts_of_run(finished.workdir, table)
    finally:
        manifest.write_text(before)


def test_only_a_run_that_has_ended_is_evaluated_again(
    table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(WorkdirError, match="no run"):
        evaluate_again(tmp_path)
    claim(tmp_path / "run", tiny_config(table, CONFIG).to_dict())
    with pytest.raises(WorkdirError, match="taken 0 of .* dann-train goes on"):
        evaluate_again(tmp_path / "run")


def test_a_finished_run_is_not_trained_again(
    finished: Run, table: pathlib.Path
) -> None:
    before = (finished.workdir / "metrics.jsonl").read_bytes()
    with mock.patch.object(
        BatchLoader, "batches", autospec=True, side_effect=BatchLoader.batches
    ) as batches:
        again = run(tiny_config(table, CONFIG), finished.workdir)
    total = 3 * finished.steps_per_epoch
    assert batches.call_args.args[1:] == (total, total)
    assert without_timing(again.results) == without_timing(finished.results)
    assert (finished.workdir / "metrics.jsonl").read_bytes() == before


def test_a_damaged_last_checkpoint_is_trained_again_to_the_same_bits(
    finished: Run, table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    workdir = tmp_path / "run"
    shutil.copytree(finished.workdir, workdir)
    last = max((workdir / "checkpoints").iterdir(), key=lambda path: int(path.name))
    path = next(path for path in (last / "default" / "d").iterdir())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged: .* dann-train goes on from"):
        evaluate_again(workdir)
    again = run(tiny_config(table, CONFIG), workdir)
    assert again.results["timing"]["resumed_from_step"] == 2 * finished.steps_per_epoch
    assert_same_training(again, finished)
    assert without_timing(again.results) == without_timing(finished.results)


def test_a_run_interrupted_in_mid_epoch_ends_with_the_same_bits(
    finished: Run, table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    # The first time there is a line of metrics and no checkpoint yet.
    config = tiny_config(table, {**CONFIG, "timetable.checkpoint_every": 2})
    steps = finished.steps_per_epoch
    for step in (steps + 2, 2 * steps + 1):
        with (
            mock.patch.object(train, "BatchLoader", loader_that_stops(step)),
            pytest.raises(KeyboardInterrupt),
        ):
            train_and_evaluate(config, tmp_path / "run")
        assert not (tmp_path / "run" / "results.json").exists()
    resumed = run(config, tmp_path / "run")
    assert resumed.results["timing"]["resumed_from_step"] == 2 * steps
    assert_same_training(resumed, finished)
    assert without_timing(resumed.results) == without_timing(finished.results)


# Diverging.


def test_a_diverging_arm_is_named_with_its_fold_seed_and_step(
    table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = tiny_config(table, CONFIG)
    _, layout = build_task_and_layout(config)
    strength = layout.peak_strength()["speaker"]
    strength[strength > 0.0] = np.inf
    # No config is let through that asks for this. The first step's loss is that of the
    # initial parameters.
    with (
        mock.patch.object(
            ReplicaLayout, "peak_strength", return_value={"speaker": strength}
        ),
        pytest.raises(TrainingDiverged) as told,
    ):
        train_and_evaluate(config, tmp_path / "run")
    message = str(told.value)
    for word in ("step 2 ", "fold '1,2 -> 3,4'", "seed 0", "arm 'dann'"):
        assert word in message
    assert "There is no checkpoint yet; try a lower learning rate" in message
    assert not (tmp_path / "run" / "results.json").exists()


def test_a_diverging_seed_is_named_and_the_checkpoints_before_it_stay(
    finished: Run, table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = tiny_config(table, {**CONFIG, "seeds": 2})
    _, layout = build_task_and_layout(config)
    bad = finished.steps_per_epoch + 3

    class Poisoned(BatchLoader):
        def index_batch(self, step: int) -> Batch:
            index = super().index_batch(step)
            if step == bad - 1:
                for values in index.inputs.values():
                    values[layout.seed_of == 1] = np.nan
            return index

    # The batch is read by the host: what it holds are features.
    poisoned = functools.partial(Poisoned, most_bytes=0)
    with (
        mock.patch.object(train, "BatchLoader", poisoned),
        pytest.raises(TrainingDiverged, match=rf"step {bad} .*seed 1, arm") as told,
    ):
        train_and_evaluate(config, tmp_path)
    # Fillers repeat the groups: every other one of them is seed 1.
    assert "8 of 16 replicas" in str(told.value)
    before = f"The checkpoint of step {finished.steps_per_epoch} is from before it"
    assert before in str(told.value)
    with open_checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert checkpoints.latest_step() == finished.steps_per_epoch
        state = checkpoints.restore(
            finished.steps_per_epoch, finished.state, finished.layout
        )
    for leaf in jax.tree.leaves(state.params):
        assert jnp.isfinite(leaf).all()
    assert [line["step"] for line in metrics_of(tmp_path)] == [finished.steps_per_epoch]


def test_parameters_that_are_not_finite_are_never_saved(tmp_path: pathlib.Path) -> None:
    layout = ReplicaLayout(
        ["fold a", "fold b"], [5], {"one": {}, "two": {}}, make_mesh(1)
    )
    state = TrainState(
        step=jnp.zeros((2, 2), jnp.int32),
        params={"kernel": jnp.ones((2, 2, 3))},
        opt_state=(),
        average={"kernel": jnp.ones((2, 2, 3))},
        best={"kernel": jnp.ones((2, 2, 3))},
        best_score=jnp.zeros((2, 2)),
        best_step=jnp.zeros((2, 2), jnp.int32),
        key=jax.random.split(jax.random.key(0), (2, 2)),
    )

    def train_steps(state: TrainState, *_: object) -> tuple[TrainState, dict]:
        """A finite loss, and at the end of the second epoch a gradient that is not."""
        kernel = state.params["kernel"]
        last = state.step[0, 0] == 3
        state = state.replace(
            step=state.step + 1,
            params={"kernel": kernel.at[1, 0, 2].add(jnp.where(last, jnp.inf, 0.0))},
        )
        loss = jnp.zeros((2, 2, 1))
        return state, {"loss": loss, "loss/label": loss}

    with (
        open_checkpoints(tmp_path / "checkpoints") as checkpoints,
        open_writer(epath.Path(tmp_path), resume_step=0) as writer,
    ):
        with pytest.raises(TrainingDiverged, match=r"step 4 .*'fold b', seed 5.*'one'"):
            fit(
                state,
                start=0,
                timetable=Timetable(2, epochs=2, checkpoint_every=1),
                layout=layout,
                chunks=lambda start, stop: iter([Chunk((), 1)] * (stop - start)),
                train_steps=train_steps,
                validate=lambda state: (state, {}),
                gradients=lambda state: {},
                checkpoints=checkpoints,
                writer=writer,
            )
        assert checkpoints.latest_step() == 2


# The program.


def start_of(config: ConfigDict, mesh: jax.sharding.Mesh) -> tuple:
    """Layout, batches of an epoch, program and first state, with little to compile."""
    task, layout = build_task_and_layout(config)
    layout = dataclasses.replace(layout, mesh=mesh)
    plan = task.plan(task.protocol.visible())
    timetable = Timetable(plan.steps_per_epoch, **config.timetable)
    program, module = (
        compiled(config, task, layout, timetable),
        build_network(config, task),
    )
    total_steps = timetable.steps_per_epoch * timetable.epochs
    optimizer = make_optimizer(total_steps=total_steps, **config.optimizer)
    make = BatchLoader(task.training, plan, layout, shuffle=True).batch
    batches = [make(step) for step in range(timetable.steps_per_epoch)]
    one = jax.tree.map(lambda leaf: leaf[0], batches[0])
    groups = [
        create_state(
            network_params(module, one, group), optimizer, jax.random.key(group)
        )
        for group in range(len(layout.fold_of))
    ]
    state = jax.tree.map(
        lambda leaf: jnp.repeat(leaf[:, None], len(layout.arms), axis=1), stack(groups)
    )
    return layout, batches, program, layout.put(state)


SGD = {
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.05,
    "optimizer.schedule": "constant",
}


def test_the_train_step_compiles_once_a_batch_shape_for_all_folds_seeds_and_arms(
    table: pathlib.Path,
) -> None:
    changes = {
        "protocol.split": "group_k_fold",
        "seeds": 3,
        "batches.num_buckets": 2,
        "encoder.context": False,
        "encoder.dropout": 0.0,
        "heads.head_dropout": 0.0,
        **SGD,
    }
    config = tiny_config(table, changes)
    with config.unlocked():
        config.protocol.split_args = {"column": "session", "k": 2}
        config.arms.weak = {"speaker": 0.3}
    layout, batches, program, state = start_of(config, make_mesh(2))
    assert (layout.num_groups, len(layout.arms)) == (6, 3)
    strength, counts = layout.put(layout.peak_strength()), []
    for _ in range(2):
        with measure_compilations() as compilations:
            for batch in batches:
                state, _ = program.train_step(state, layout.put(batch), strength)
        counts.append(compilations.count)
    shapes = {batch.label.shape for batch in batches}
    assert len(shapes) == 2 and len(batches) > 4
    assert counts == [len(shapes), 0]


def test_a_run_compiles_its_five_steps_once(finished: Run) -> None:
    # The first state, training, gradients, evaluation, keeping the best; three epochs
    # and the test.
    assert finished.compiled.count("jit(per_device)") == 5


def test_one_device_and_eight_give_the_same_losses(table: pathlib.Path) -> None:
    config = tiny_config(table, {**CONFIG, "seeds": 8, **SGD})
    losses = []
    for devices in (1, 8):
        layout, batches, program, state = start_of(config, make_mesh(devices))
        strength, found = layout.put(layout.peak_strength()), []
        for batch in batches[:6]:
            state, metrics = program.train_step(state, layout.put(batch), strength)
            found.append(metrics["loss"])
        assert len(metrics["loss"].sharding.device_set) == devices
        losses.append(np.asarray(found))
    one, eight = losses
    # They are losses of different replicas, and they move.
    assert len(np.unique(one[0])) > 7 and (np.ptp(one, axis=0) > 0.01).all()
    np.testing.assert_allclose(eight, one, rtol=1e-5)
