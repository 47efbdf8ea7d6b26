"""Tables and page of an adaptation: what was not measured is said, and not shown."""

import numpy as np
import pytest

from dann_jax.report.page import report_page
from dann_jax.report.run import RunFiles
from dann_jax.report.tables import result_table
from dann_jax.report.verdict import run_verdict

ARMS, CLASSES = ("source_only", "dann"), ("anger", "neutral")
NAN = float("nan")


def score(value: float) -> dict[str, object]:
    return {"mean": value, "std": 0.01, "pooled": value, "ci95": [value - 0.1, 0.9]}


def replica(fold: str, arm: str, value: float) -> dict[str, object]:
    return {
        **{"fold": fold, "seed": 0, "arm": arm, "n_test": 0 if np.isnan(value) else 9},
        **dict.fromkeys(("wa", "ua", "macro_f1"), value),
        "confusion": [[0, 0], [0, 0]] if np.isnan(value) else [[5, 1], [1, 2]],
        "domain_probe": {"accuracy": 0.5, "chance": 0.2},
    }


def results_of(*, folds: int = 2, scored: bool = False) -> dict[str, object]:
    measured = {
        **dict.fromkeys(("confidence", "agreement"), 0.6),
        **dict.fromkeys(("rehearsed_confidence", "rehearsed_agreement"), 0.9),
        "a_distance": 1.25,
    }
    summary = {
        arm: {
            metric: score(0.7 if folds else NAN) for metric in ("wa", "ua", "macro_f1")
        }
        for arm in ARMS
    }
    entry = {
        **{"arm": "dann", "against": "source_only", "metric": "ua"},
        **{"difference": 0.01, "ci95": [-0.02, 0.04], "p_value": 0.5},
        "sentence": "dann and source_only: no difference shown in UA.",
    }
    target = {
        **{"fold": "target", "rows": 40, "speakers": 2, "source_rows": 100},
        "source_balance": {"anger": 0.5, "neutral": 0.5},
        "balance": {arm: {"anger": 0.125, "neutral": 0.875} for arm in ARMS},
        "arms": dict.fromkeys(ARMS, measured),
        "input_a_distance": 1.5,
        "warnings": ["dann: <b>careful</b>"],
    }
    if scored:
        target |= {"summary": summary, "comparisons": [entry]}
    names = [f"source speakers {n + 1}" for n in range(folds)]
    return {
        "system": "adaptation",
        "corpora": ["toy"],
        "protocol": {
            **{"name": "side source adapted to target", "transductive": True},
            **{"selection": "last", "allowed_leaks": []},
        },
        "labels": list(CLASSES),
        "replicas": [
            *(replica(name, arm, 0.7) for name in names for arm in ARMS),
            *(replica("target", arm, 0.4 if scored else NAN) for arm in ARMS),
        ],
        "summary": summary,
        "comparisons": [entry] if folds else [],
        "target": target,
    }


def test_the_target_is_not_measured_in_any_table() -> None:
    text = result_table(results_of())
    fold = next(line for line in text.splitlines() if line.startswith("| target "))
    assert fold.count("not measured") == 4
    assert "nan" not in text
    assert "2 groups of source speakers held out, and the target, not scored" in text
    assert "was not measured: they have no labels" in text
    assert "warning: dann: <b>careful</b>" in text


def test_p_is_of_the_rehearsals_alone() -> None:
    assert "with 2 folds the smallest possible value is 0.5." in result_table(
        results_of()
    )


def test_labels_of_the_target_give_it_scores_of_its_own() -> None:
    text = result_table(results_of(scored=True))
    assert "not measured" not in text
    assert "were used for nothing else. dann and source_only: no difference" in text


def test_without_rehearsals_nothing_is_said_to_be_scored() -> None:
    results = results_of(folds=0)
    assert run_verdict(results) == "No row with a label is tested: nothing was scored."
    assert "nan" not in result_table(results)


@pytest.mark.parametrize("folds", [0, 2])
@pytest.mark.parametrize("scored", [False, True])
def test_the_page_has_a_section_of_the_target(folds: int, scored: bool) -> None:
    page = report_page(RunFiles("mine", results_of(folds=folds, scored=scored)))
    assert ("Without labels of the target" in page) != scored
    assert "12.50" in page
    assert "87.50" in page
    assert "&lt;b&gt;careful" in page
    assert ">nan" not in page


def test_other_runs_have_no_such_section() -> None:
    results = results_of()
    del results["target"]
    results["replicas"] = results["replicas"][:4]
    assert "target" not in result_table(results).replace("adapted to target", "")
    assert 'id="target"' not in report_page(RunFiles("mine", results))
