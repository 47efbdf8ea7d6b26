"""How well values agree: against other people's formulas, and at the edges."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import root_mean_squared_error

from dann_jax.evaluation.agreement import names_of, scores_of_moments, value_moments
from dann_jax.evaluation.statistics import compare, interval, pooled

TARGETS = ("valence", "activation")


def drawn(rows: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and speaker of so many rows; the truth has gaps."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(1.0, 5.0, (rows, 2))
    prediction = 0.6 * truth + rng.normal(1.0, 0.5, (rows, 2))
    truth[rng.random((rows, 2)) < 0.2] = np.nan
    return truth, prediction, np.arange(rows) % 4


def scores(truth: np.ndarray, prediction: np.ndarray, **options: object) -> dict:
    everybody = np.zeros(len(truth), int)
    moments = value_moments(truth, prediction, everybody, 1, **options)
    names = TARGETS[: truth.shape[1]]
    return {k: float(v) for k, v in scores_of_moments(moments[0], names).items()}


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scipy_and_scikit_learn_on_the_rows_that_are_known(
    seed: int,
) -> None:
    truth, prediction, _ = drawn(seed=seed)
    found = scores(truth, prediction)
    for place, target in enumerate(TARGETS):
        known = ~np.isnan(truth[:, place])
        x, y = prediction[known, place], truth[known, place]
        correlation = stats.pearsonr(x, y).statistic
        # Lin's other form: correlation times how well scale and location fit.
        ratio = x.std() / y.std()
        shift = (x.mean() - y.mean()) / np.sqrt(x.std() * y.std())
        bias = 2.0 / (ratio + 1.0 / ratio + shift**2)
        assert found[f"pearson_{target}"] == pytest.approx(correlation, rel=1e-9)
        assert found[f"ccc_{target}"] == pytest.approx(correlation * bias, rel=1e-9)
        expected = root_mean_squared_error(y, x)
        assert found[f"rmse_{target}"] == pytest.approx(expected, rel=1e-9)
    for measure in ("ccc", "pearson", "rmse"):
        mean = np.mean([found[f"{measure}_{target}"] for target in TARGETS])
        assert found[measure] == pytest.approx(mean)
    assert set(found) == set(names_of(TARGETS))


def test_moments_of_speakers_add_up_to_those_of_everybody() -> None:
    truth, prediction, speaker = drawn()
    apart = scores_of_moments(
        value_moments(truth, prediction, speaker, 4).sum(0), TARGETS
    )
    for name, value in scores(truth, prediction).items():
        assert apart[name] == pytest.approx(value, rel=1e-9)


def test_the_origin_changes_nothing_and_saves_what_rounding_would_cost() -> None:
    truth, prediction, _ = drawn()
    here = scores(truth, prediction)
    moved = scores(truth + 1e6, prediction + 1e6, origin=np.array([1e6, 1e6]))
    assert moved == pytest.approx(here, rel=1e-6)


def test_a_change_of_unit_of_both_leaves_concordance_and_scales_the_error() -> None:
    truth, prediction, _ = drawn()
    here, there = scores(truth, prediction), scores(3 * truth - 7, 3 * prediction - 7)
    for target in TARGETS:
        assert there[f"ccc_{target}"] == pytest.approx(here[f"ccc_{target}"])
        assert there[f"rmse_{target}"] == pytest.approx(3 * here[f"rmse_{target}"])


@pytest.mark.parametrize("constant", [0.0, 3.0, np.float32(2.3456)])
def test_a_constant_prediction_has_no_concordance_and_no_correlation(
    constant: float,
) -> None:
    truth, prediction, _ = drawn()
    found = scores(truth, np.full_like(prediction, constant))
    assert [found[name] for name in ("ccc", "pearson")] == [0.0, 0.0]
    assert found["rmse"] > 0.0


def test_the_same_constant_on_both_sides_is_no_division_by_zero() -> None:
    found = scores(np.full((5, 1), 3.1), np.full((5, 1), 3.1))
    assert (found["ccc"], found["pearson"]) == (0.0, 0.0)
    assert found["rmse"] == pytest.approx(0.0, abs=1e-6)


def test_the_truth_itself_is_1_and_its_opposite_minus_1() -> None:
    truth, _, _ = drawn()
    assert scores(truth, truth)["ccc"] == pytest.approx(1.0)
    centred = truth - np.nanmean(truth, 0)
    assert scores(centred, -centred)["ccc"] == pytest.approx(-1.0)


def test_a_target_that_nobody_rated_is_nan_and_enters_no_mean() -> None:
    truth, prediction, _ = drawn()
    truth[:, 1] = np.nan
    found = scores(truth, prediction)
    assert np.isnan(found["ccc_activation"])
    assert found["ccc"] == found["ccc_valence"]


def test_intervals_and_comparisons_take_moments_as_they_take_counts() -> None:
    truth, prediction, speaker = drawn(200)
    good = np.stack([value_moments(truth, prediction, speaker, 4)] * 2)
    worse = np.stack([value_moments(truth, prediction + 2.0, speaker, 4)] * 2)

    def score(moments: np.ndarray) -> dict[str, np.ndarray]:
        return scores_of_moments(moments, TARGETS)

    for metric in ("ccc", "ccc_valence", "rmse"):
        point = pooled(good, metric, scores=score)
        assert point == pytest.approx(scores(truth, prediction)[metric], rel=1e-9)
        low, high = interval(good, metric, scores=score)
        assert low <= point <= high
    found = compare(good, worse, "ccc", trainings=(good, worse), scores=score)
    assert found["difference"] > 0.0 and found["ci95"][0] > 0.0
    # Four speakers: the names can be swapped in sixteen ways.
    assert found["p_value"] == pytest.approx(2 / 16)
