"""The study of selections and the figure over strengths, on numbers made by hand."""

import json
import pathlib

import numpy as np
import pytest

from benchmarks.coverage import gains, shares, swaps_p
from benchmarks.selection import study, summary
from benchmarks.selection_tables import table_of_criteria
from benchmarks.strength import draw, points
from benchmarks.strength import table as strength_table
from dann_jax.evaluation.unsupervised import ORACLE
from dann_jax.report.run import RunFiles
from dann_jax.training.replicas import ReplicaLayout, make_mesh

# UA over three epochs of one group with two arms.
TRUTH = np.array([[[0.5, 0.6]], [[0.7, 0.5]], [[0.6, 0.8]]])


def test_a_regret_is_what_the_best_epoch_would_have_had_more() -> None:
    right, wrong = TRUTH * 2.0, -TRUTH
    epochs = [
        {ORACLE: own, "right": good, "wrong": bad, "flat": np.zeros((1, 2))}
        for own, good, bad in zip(TRUTH, right, wrong, strict=True)
    ]
    found = study(epochs)
    for word, regrets in (
        ("right", [0.0, 0.0]),
        (ORACLE, [0.0, 0.0]),
        ("wrong", [0.2, 0.3]),
        # Of equals the later is kept.
        ("flat", [0.1, 0.0]),
        ("last", [0.1, 0.0]),
    ):
        np.testing.assert_allclose(found[word][0], [regrets], atol=1e-12)
    np.testing.assert_allclose(found["right"][1], 1.0)
    np.testing.assert_allclose(found["wrong"][1], -1.0)
    np.testing.assert_allclose(found["last"][1], [[0.5, 0.5]])
    assert np.isnan(found["flat"][1]).all()


def test_a_criterion_is_compared_with_the_last_epoch_of_the_same_replica() -> None:
    # Two folds, two seeds, one arm: regrets of fold 1 first.
    regret = {"wrong": [0.3, 0.3, 0.1, 0.1], "last": [0.1, 0.1, 0.1, 0.1]}
    found = {
        word: np.stack([np.array(own)[:, None], np.full((4, 1), rank)])
        for (word, own), rank in zip(regret.items(), (-1.0, np.nan), strict=True)
    }
    layout = ReplicaLayout(("a", "b"), (0, 1), {"dann": {}}, make_mesh(1))
    kept = summary(found, layout)
    assert kept["dann"]["wrong"]["beyond_last"][0] == pytest.approx(0.1)
    assert kept["dann"]["last"]["regret"] == pytest.approx([0.1] * 3)
    printed = table_of_criteria(
        {"c": {"folds": 2, "seeds": 2, "epochs": 3, "arms": kept}}
    )
    assert "| c (folds: 2, seeds: 2, epochs: 3) | dann: regret | " in printed
    assert "| last | 10.0 [10.0, 10.0] | +0.0 [+0.0, +0.0] |  |" in printed
    assert "| wrong | 20.0 [" in printed and "] | -1.00 |" in printed


def made_up_run() -> RunFiles:
    def record(arm: str, place: str, accuracy: float) -> dict:
        names = {"arm": arm, "place": place, "column": "speaker", "probe": "logistic"}
        return {**names, "accuracy": accuracy, "std": 0.01, "chance": 0.1}

    scores = {"ua": {"pooled": 0.5, "ci95": [0.4, 0.6]}}
    return RunFiles(
        "run",
        {"summary": {"plain": scores, "dann": scores}},
        {
            "probes": [
                record("plain", "input", 0.99),
                record("plain", "encoder", 0.6),
                record("dann", "encoder", 0.3),
            ]
        },
        config={"arms": {"plain": {}, "dann": {"speaker": 0.3}}},
    )


def test_every_strength_is_a_point_of_its_probe_and_its_ua(
    tmp_path: pathlib.Path,
) -> None:
    found = points(made_up_run(), "speaker", "speaker", "logistic")
    assert [(p.strength, p.probe, p.ua) for p in found.values()] == [
        (0.0, 0.6, 0.5),
        (0.3, 0.3, 0.5),
    ]
    assert "| 0.3 | 30.0 ± 1.0 | 50.00 [40.00, 60.00] |" in strength_table(found)
    draw(found, 0.1, str(tmp_path / "figure.svg"), "title")
    assert "speaker found by a fresh probe" in (tmp_path / "figure.svg").read_text()
    with pytest.raises(ValueError, match="no network probe"):
        points(made_up_run(), "speaker", "speaker", "network")


def test_swaps_count_both_signs() -> None:
    assert swaps_p(np.array([1.0, 1.0, 1.0])) == pytest.approx(2 / 8)
    assert np.isnan(swaps_p(np.array([1.0])))


def test_a_training_serves_all_speakers_of_its_fold() -> None:
    rng = np.random.default_rng(0)
    table = gains(2, 6, 3, (0.0, 1.0, 0.0), rng)
    for fold in (slice(0, 3), slice(3, 6)):
        assert np.ptp(table[:, fold], axis=1).max() == 0.0
    assert (table[:, 0] != table[:, 3]).all()


def test_shares_are_shares() -> None:
    found = shares(2, 4, 2, (1.0, 0.0, 0.1), trials=5)
    assert json.loads(json.dumps(found)) == found
    assert all(0.0 <= share <= 1.0 for share in found.values())
    assert found["crossed"] <= found["crossed+t"]
