"""Contrasts agree with what they are made of."""

import numpy as np
import pytest

from benchmarks.studies.contrasts import contrast
from dann_jax.evaluation.statistics import compare, interval, pooled

RNG = np.random.default_rng(0)
TABLES = RNG.integers(1, 9, (4, 3, 7, 2, 2)).astype(float)


@pytest.mark.parametrize("metric", ["wa", "ua", "macro_f1"])
def test_one_and_two_terms_are_known_scores_and_differences(metric: str) -> None:
    one, other, *_ = TABLES
    alone = contrast([(1.0, one)], metric)
    assert alone["difference"] == pytest.approx(pooled(one, metric))
    assert alone["ci95"] == pytest.approx(list(interval(one, metric)))
    both, known = (
        contrast([(1.0, one), (-1.0, other)], metric),
        compare(one, other, metric),
    )
    assert both["difference"] == pytest.approx(known["difference"])
    assert both["ci95"] == pytest.approx(known["ci95"])


def test_four_terms_are_a_difference_of_differences() -> None:
    a, b, c, d = TABLES
    found = contrast([(1.0, a), (-1.0, b), (-1.0, c), (1.0, d)], "ua")
    one, other = (compare(x, y, "ua")["difference"] for x, y in ((a, b), (c, d)))
    assert found["difference"] == pytest.approx(one - other)
    low, high = found["ci95"]
    assert low < found["difference"] < high


def test_what_is_taken_from_itself_is_nothing_in_every_draw() -> None:
    a, b, *_ = TABLES
    found = contrast([(1.0, a), (-1.0, b), (-1.0, a), (1.0, b)], "wa")
    assert found == {"difference": pytest.approx(0.0), "ci95": pytest.approx([0, 0])}


def test_there_is_no_interval_of_one_speaker() -> None:
    found = contrast([(1.0, TABLES[0][:, :1])], "wa")
    assert np.isnan(found["ci95"]).all()
