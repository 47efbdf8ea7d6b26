"""`DANNClassifier` as scikit-learn uses it, and what it does with domains."""

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from dann_jax import DANNClassifier

SMALL = {"width": 8, "epochs": 2, "batch_size": 64, "random_state": 0}


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    """Three classes and four speakers, each in a direction of its own."""
    rng = np.random.default_rng(0)
    y, speaker = np.arange(120) % 3, np.arange(120) // 30
    X = rng.normal(size=(120, 6))
    X[:, 0] += 3 * y
    X[:, 1] += 3 * speaker
    return {"X": X, "y": y, "domain": speaker}


@pytest.fixture(scope="module")
def fitted(rows: dict[str, np.ndarray]) -> DANNClassifier:
    return DANNClassifier(**SMALL).fit(**rows)


@pytest.mark.slow
@parametrize_with_checks([DANNClassifier(epochs=20)])
def test_it_is_an_estimator_of_scikit_learn(estimator, check) -> None:
    check(estimator)


def test_no_adversary_is_strength_0_to_the_bit(rows: dict[str, np.ndarray]) -> None:
    weak = DANNClassifier(0.0, **SMALL).fit(**rows)
    alone = DANNClassifier(**SMALL).fit(rows["X"], rows["y"])
    assert np.array_equal(weak.predict_proba(rows["X"]), alone.predict_proba(rows["X"]))


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    rows: dict[str, np.ndarray], fitted: DANNClassifier
) -> None:
    features = fitted.transform(rows["X"])
    assert np.array_equal(features, clone(fitted).fit(**rows).transform(rows["X"]))
    other = clone(fitted).set_params(random_state=1).fit(**rows)
    assert not np.allclose(features, other.transform(rows["X"]))


@pytest.mark.slow
def test_the_adversary_hides_the_domain(rows: dict[str, np.ndarray]) -> None:
    """What the speakers' means of the features differ by, beside their spread."""

    def separation(strength: float) -> float:
        model = DANNClassifier(strength, random_state=0, epochs=60).fit(**rows)
        z = model.transform(rows["X"])
        means = [z[rows["domain"] == each].mean(0) for each in range(4)]
        return float(np.var(means, axis=0).sum() / np.var(z, axis=0).sum())

    assert separation(1.0) < 0.9 * separation(0.0)


def test_unlabelled_rows_act_through_the_adversary(
    rows: dict[str, np.ndarray], fitted: DANNClassifier
) -> None:
    unlabelled = {"X_unlabelled": rows["X"][:7] + 9, "domain_unlabelled": [9] * 7}
    assert fitted.network_.domains == 4
    adapted = clone(fitted).fit(**rows, **unlabelled)
    assert adapted.network_.domains == 5
    assert not np.allclose(fitted.transform(rows["X"]), adapted.transform(rows["X"]))
    # They standardise nothing: that is for labelled rows.
    assert np.array_equal(adapted.scaler_.mean_, fitted.scaler_.mean_)


def test_names_of_domains_mean_nothing(
    rows: dict[str, np.ndarray], fitted: DANNClassifier
) -> None:
    named = np.array(["a", "b", "c", "d"], object)[rows["domain"]]
    other = clone(fitted).fit(rows["X"], rows["y"], domain=named)
    assert np.array_equal(other.transform(rows["X"]), fitted.transform(rows["X"]))
    for missing in (None, np.nan, ""):
        named[named == "d"] = missing
        other = clone(fitted).fit(rows["X"], rows["y"], domain=named)
        assert other.network_.domains == 3
        named[90:] = "d"


def test_many_rows_are_predicted_as_few(
    rows: dict[str, np.ndarray], fitted: DANNClassifier
) -> None:
    many = np.tile(rows["X"], (3, 1))
    assert np.array_equal(fitted.predict(many), np.tile(fitted.predict(rows["X"]), 3))
    one = fitted.predict_proba(rows["X"][:1])
    np.testing.assert_allclose(one, fitted.predict_proba(many)[:1], rtol=1e-5)


def test_it_can_be_pickled(rows: dict[str, np.ndarray], fitted: DANNClassifier) -> None:
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.transform(rows["X"]), fitted.transform(rows["X"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"domain": [1, 2]}, "domain has 2 values for 120 rows"),
        ({"domain": ["a"] * 120}, "domain has 1 different values"),
        ({"X_unlabelled": np.ones((2, 6))}, "it needs domain_unlabelled"),
        (
            {"X_unlabelled": np.ones((2, 5)), "domain_unlabelled": [0, 1]},
            "X_unlabelled: X has 5 features",
        ),
        (
            {"X_unlabelled": np.ones((2, 6)), "domain_unlabelled": [0]},
            "domain_unlabelled has 1 values for 2 rows",
        ),
        (
            {
                "domain": None,
                "X_unlabelled": np.ones((2, 6)),
                "domain_unlabelled": [0, 1],
            },
            "it needs domain_unlabelled, .* and domain",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_one_line(
    rows: dict[str, np.ndarray], change: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        DANNClassifier(**SMALL).fit(**rows | change)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"strength": -1.0}, "strength must be at least 0"),
        ({"width": 0}, "width must be at least 1"),
        ({"dropout": 1.0}, "dropout must be from 0 to below 1"),
        ({"epochs": 1.5}, "epochs must be a whole number"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
    ],
)
def test_parameters_are_refused_by_name(
    rows: dict[str, np.ndarray], parameter: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DANNClassifier(**SMALL | parameter).fit(**rows)


@pytest.mark.slow
def test_domains_are_routed_through_searches_and_pipelines(
    rows: dict[str, np.ndarray],
) -> None:
    given = {"domain": rows["domain"], "groups": rows["domain"]}
    with sklearn.config_context(enable_metadata_routing=True):
        model = DANNClassifier(**SMALL).set_fit_request(domain=True)
        piped = make_pipeline(StandardScaler(), model)
        search = GridSearchCV(
            piped, {"dannclassifier__strength": [0.0, 0.3]}, cv=LeaveOneGroupOut()
        )
        search.fit(rows["X"], rows["y"], **given)
        # Three speakers train, four refit.
        assert search.best_estimator_[-1].network_.domains in (0, 4)
        guess = cross_val_predict(
            piped, rows["X"], rows["y"], cv=LeaveOneGroupOut(), params=given
        )
    # By hand: each speaker by a network of the three others.
    train = rows["domain"] != 0
    by_hand = clone(piped).fit(
        rows["X"][train],
        rows["y"][train],
        dannclassifier__domain=rows["domain"][train],
    )
    assert np.array_equal(guess[~train], by_hand.predict(rows["X"][~train]))
