"""What a run says of its networks once it has trained them."""

import dataclasses
import json
import pathlib
import re
from typing import Any
from unittest import mock

import numpy as np
import pytest
from runs import tiny_config, tiny_corpus, write_table
from sklearn.decomposition import PCA

from dann_jax.data.frames import Frames
from dann_jax.evaluation.analysis.curves import diagnoses, measured
from dann_jax.evaluation.analysis.domains import domain_frequencies
from dann_jax.evaluation.analysis.options import probed_columns
from dann_jax.evaluation.analysis.sample import Sample, input_vectors
from dann_jax.evaluation.maps import PROJECTIONS, project
from dann_jax.experiment import train
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.report.page import report_page
from dann_jax.report.run import read_run
from dann_jax.tasks.roles import Role
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.run import Run
from dann_jax.types import UNKNOWN
from dann_jax.utils.files import strict

ARMS = ["source_only", "dann"]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("table"), tiny_corpus())


PREDICTED: list[int] = []
"""How many rows of each fold went through the networks of `finished`, each time."""


@pytest.fixture(scope="module")
def finished(
    table: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any], pathlib.Path]:
    """Results, analysis and directory of one fold and one seed, without training."""
    workdir = tmp_path_factory.mktemp("runs") / "analysed"
    changes = {
        "encoder.context": False,
        "batches.num_buckets": 1,
        "analysis.rows": 120,
        "analysis.maps": ("pca",),
    }

    def predict(self: Run, params: object, rows: np.ndarray, outputs: tuple) -> object:
        PREDICTED.append(int(rows.sum()))
        return predicted(self, params, rows, outputs)

    predicted = Run.predict
    with (
        mock.patch.object(train, "fit", lambda state, **_: state),
        mock.patch.object(Run, "predict", predict),
    ):
        results = train_and_evaluate(tiny_config(table, changes), workdir)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    text = (workdir / "analysis.json").read_text()
    return results, json.loads(text, parse_constant=refuse), workdir


def test_every_arm_is_probed_at_every_place_for_every_column(
    finished: tuple[dict, dict, pathlib.Path],
) -> None:
    probes = finished[1]["probes"]
    keys = {(p["arm"], p["place"], p["column"], p["probe"]) for p in probes}
    assert len(keys) == len(probes) == 2 * 3 * 3 * 2
    assert {p["column"] for p in probes} == {"speaker", "gender", "emotion"}
    for record in probes:
        assert 0.0 <= record["accuracy"] <= 1.0
        assert 0.0 < record["chance"] <= record["chance_p95"] <= 1.0
        assert record["replicas"] == 1 and record["rows"] <= 120
    assert {p["grouped_by"] for p in probes if p["column"] == "speaker"} == {"dialogue"}
    assert finished[1]["probed"] == [{"fold": "1,2 -> 3,4", "seed": 0}]
    # This corpus has one language and no column of corpora.
    assert any("corpus" in words for words in finished[1]["left_out"])


def test_tested_rows_go_through_the_network_once(
    finished: tuple[dict, dict, pathlib.Path],
) -> None:
    (tested,) = {replica["n_test"] for replica in finished[0]["replicas"]}
    # Then rows to probe; those that fit a temperature; and rows for the analysis.
    before, probed, validating, analysed = PREDICTED
    assert (before, probed, analysed) == (tested, len(tiny_corpus()), 120)
    assert validating < tested


def test_confusions_and_recalls_are_those_of_the_results(
    finished: tuple[dict, dict, pathlib.Path],
) -> None:
    results, found, _ = finished
    for replica in results["replicas"]:
        arm = replica["arm"]
        assert found["confusion"][arm] == replica["confusion"]
        np.testing.assert_allclose(found["classes"][arm], replica["recall"])


def test_speakers_and_groups_add_up_to_the_whole(
    finished: tuple[dict, dict, pathlib.Path],
) -> None:
    results, found, _ = finished
    for arm in ARMS:
        whole = results["summary"][arm]["wa"]["pooled"]
        genders = [g for g in found["groups"] if g["column"] == "gender"]
        for parts in (found["speakers"], genders):
            rows = [part["rows"] for part in parts]
            own = [part["scores"][arm]["wa"] for part in parts]
            assert sum(rows) == results["replicas"][0]["n_test"]
            assert np.average(own, weights=rows) == pytest.approx(whole)
    assert len(found["speakers"]) == 4
    assert {speaker["gender"] for speaker in found["speakers"]} == {"f", "m"}
    assert [group["speakers"] for group in genders] == [2, 2]


def test_criteria_stand_beside_the_oracle(
    finished: tuple[dict, dict, pathlib.Path],
) -> None:
    results, found, _ = finished
    for arm in ARMS:
        own = {s["criterion"]: s for s in found["selection"] if s["arm"] == arm}
        assert set(own) == {
            "entropy", "information-maximisation", "snd", "dev", "reverse-validation",
            "source-validation", "oracle",
        }  # fmt: skip
        ua = results["summary"][arm]["ua"]["mean"]
        assert own["oracle"]["value"] == own["oracle"]["ua"] == pytest.approx(ua)
        assert own["entropy"]["value"] <= 0.0


def test_maps_show_the_same_rows_and_the_input_once(
    finished: tuple[dict, dict, pathlib.Path],
) -> None:
    maps = finished[1]["maps"]
    assert maps["fold"] == "1,2 -> 3,4" and maps["seed"] == 0
    lengths = {name: len(values) for name, values in maps["rows"].items()}
    assert set(lengths.values()) == {120}
    assert {"utt_id", "speaker", "emotion", "gender", "role"} <= set(lengths)
    assert set(maps["points"]["source_only"]) == {"input", "encoder"}
    assert set(maps["points"]["dann"]) == {"encoder"}
    for places in maps["points"].values():
        for drawn in places.values():
            assert np.array(drawn["pca"]).shape == (120, 2)


def test_the_card_and_the_page_show_what_was_found(
    finished: tuple[dict, dict, pathlib.Path],
) -> None:
    _, found, workdir = finished
    card = " ".join((workdir / "bundle" / "MODEL_CARD.md").read_text().split())
    assert f"of {len(found['speakers'])} tested speakers" in card
    group = found["groups"][0]
    ua = f"ua {100 * group['scores']['dann']['ua']:.2f}"
    assert f"By {group['column']}: - {group['value']}: " in card and ua in card
    page = report_page(read_run(workdir))
    sections = re.findall(r'<section id="(\w+)"', page)
    assert {"results", "domains", "who", "maps", "data"} <= {*sections}


def test_data_are_described(finished: tuple[dict, dict, pathlib.Path]) -> None:
    data = finished[1]["data"]
    corpus = tiny_corpus()
    assert data["rows"] == len(corpus) == sum(data["roles"]["1,2 -> 3,4"].values())
    assert data["digest"] == finished[0]["data"]["digest"]
    assert (
        sum(data["labels"].values()) == (corpus.columns["emotion"] != "surprise").sum()
    )


def test_domains_know_what_guessing_gets(table: pathlib.Path) -> None:
    task, _ = build_task_and_layout(tiny_config(table))
    found = domain_frequencies(task)["speaker"]
    ids = task.training.domain["speaker"][0]
    share = np.bincount(ids[ids != UNKNOWN]) / (ids != UNKNOWN).sum()
    assert found["num_domains"] == 8
    assert found["chance"] == pytest.approx(share.max())
    known = share[share > 0]
    assert found["guess_loss"] == pytest.approx(-(known * np.log(known)).sum())
    assert 0.0 <= found["label_shift"] <= 1.0


def test_an_emotion_is_what_the_protocol_tells_apart(table: pathlib.Path) -> None:
    task, _ = build_task_and_layout(tiny_config(table))
    columns, left_out = probed_columns(task, ())
    assert set(columns["emotion"]) == {*task.protocol.labels, ""}
    assert set(columns) == {"speaker", "gender", "emotion"}
    columns, left_out = probed_columns(task, ("session",))
    assert set(columns) == {"session"} and not left_out


def test_frames_are_probed_by_their_moments_and_absent_rows_are_zero() -> None:
    corpus = tiny_corpus()
    frames = Frames(np.arange(12.0).reshape(6, 2), np.array([4, 2]))
    small = dataclasses.replace(
        corpus,
        columns={name: values[:2] for name, values in corpus.columns.items()},
        features={"sound": frames, "text": np.array([[1.0], [np.nan]])},
        present={"sound": np.ones(2, bool), "text": np.array([True, False])},
    )
    found = input_vectors(small, np.array([0, 1]))
    rows = [frames.row(0), frames.row(1)]
    np.testing.assert_allclose(found[:, :2], [row.mean(0) for row in rows])
    np.testing.assert_allclose(found[:, 2:4], [row.std(0) for row in rows])
    assert found[:, 4].tolist() == [1.0, 0.0]


# Diagnoses, from curves and probes.

LINES = [
    {
        "step": step,
        "dann/accuracy/speaker": 0.1,
        **({"dann/strength/speaker": 1.0} if step % 2 else {}),
    }
    for step in range(4)
]
FOUND = {
    "domains": {
        name: {"chance": 0.1, "guess_loss": 2.3, "label_shift": 0.0}
        for name in ("speaker", "who")
    },
    "probes": [
        {"arm": "dann", "place": place, "column": "speaker", "probe": kind,
         "accuracy": accuracy, "chance": 0.1}
        for place, kind, accuracy in (
            ("input", "network", 0.99), ("encoder", "logistic", 0.5),
            ("encoder", "network", 0.6),
        )
    ],
}  # fmt: skip


def test_what_is_measured_comes_from_the_right_place() -> None:
    arm = measured("dann", "speaker", "speaker", 1.0, FOUND, LINES)
    assert arm.domain_accuracy.tolist() == [0.1] * 4
    assert arm.strength.tolist() == [1.0] * 2
    assert not len(arm.domain_loss)
    assert (arm.probe_accuracy, arm.probe_chance) == (0.6, 0.1)
    assert (arm.domain_chance, arm.domain_guess_loss) == (0.1, 2.3)


@pytest.mark.parametrize("names", [("speaker",), ("speaker", "who")])
def test_a_weak_discriminator_is_told_of_the_adversary_that_is(
    names: tuple[str, ...],
) -> None:
    arms = {"dann": dict.fromkeys(names, 1.0)}
    layout = ReplicaLayout(["a"], [0], arms, make_mesh(1))
    features = np.random.default_rng(0).normal(size=(1, 1, 50, 3))
    sample = Sample(np.arange(50), np.array([0]), features[0, 0], features, features)
    adversaries = dict.fromkeys(names, "speaker")
    said = diagnoses(FOUND, sample, LINES, adversaries, layout)["dann"]
    if len(names) == 1:
        assert (
            "fresh probe still finds the domain in 60 %" in said["weak-discriminator"]
        )
    else:
        assert said["weak-discriminator, speaker"].startswith("speaker: ")
        assert "weak-discriminator, who" not in said


# The parts.


def test_a_map_of_principal_components_is_scikit_learns() -> None:
    points = np.random.default_rng(1).normal(size=(40, 5)) * [1, 2, 3, 4, 5] + 7
    scaled = (points - points.mean(0)) / points.std(0)
    expected = PCA(2).fit_transform(scaled)
    np.testing.assert_allclose(abs(project(points, "pca")), abs(expected), atol=1e-9)


def test_neighbours_stay_neighbours_on_a_map() -> None:
    rng = np.random.default_rng(2)
    side = np.repeat([0, 1], 30)
    points = rng.normal(size=(60, 60)) + 6.0 * side[:, None]
    drawn = project(points, "tsne")
    np.testing.assert_array_equal(drawn, project(points, "tsne"))
    gaps = np.linalg.norm(drawn[:, None] - drawn[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    assert (side[gaps.argmin(1)] == side).all()


def test_a_map_that_cannot_be_drawn_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert project(np.ones((9, 2)), "umap") is None
    assert project(np.ones((3, 2)), "pca") is None
    with pytest.raises(
        ValueError, match=f"'flat'; choose from {', '.join(PROJECTIONS)}"
    ):
        project(np.ones((9, 2)), "flat")


def test_strict_json_has_no_nan() -> None:
    value = {1: np.array([np.nan, 1.0]), "b": (np.int64(2), float("inf"), None)}
    assert strict(value) == {"1": [None, 1.0], "b": [2, None, None]}
    assert strict(Role.TEST) == Role.TEST
