"""Probes of any column: what they find, what chance gives, and who may not be seen."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import permutation_test_score

from dann_jax.evaluation.heldout import FOLDS, held_out_guesses, shuffled, usable_rows
from dann_jax.evaluation.probe import PROBES, probe

RNG = np.random.default_rng(0)
SPEAKER = np.repeat(np.arange(6), 60)
# Four dialogues of each speaker, and the gender of a speaker.
DIALOGUE = np.repeat(np.arange(24), 15)
GENDER = np.array(["f", "m"])[SPEAKER % 2]
EMOTION = RNG.integers(0, 3, len(SPEAKER))


def features_of(column: np.ndarray, size: float = 4.0, width: int = 12) -> np.ndarray:
    """Noise, to which each value of the column adds a direction of its own."""
    rng = np.random.default_rng(1)
    names, ids = np.unique(column, return_inverse=True)
    return rng.normal(size=(len(ids), width)) + (
        size * rng.normal(size=(len(names), width))[ids]
    )


@pytest.mark.parametrize("kind", PROBES)
@pytest.mark.parametrize("column", [SPEAKER, GENDER, EMOTION], ids=["who", "sex", "e"])
def test_what_is_there_is_found(kind: str, column: np.ndarray) -> None:
    found = probe(features_of(column), column, kind=kind, permutations=9)
    assert found["score"] > 0.9
    assert found["p_value"] == pytest.approx(0.1)
    assert found["classes"] == len(np.unique(column))


@pytest.mark.parametrize("kind", PROBES)
def test_noise_is_chance(kind: str) -> None:
    noise = np.random.default_rng(2).normal(size=(len(SPEAKER), 20))
    found = probe(noise, SPEAKER, kind=kind, permutations=9)
    error = 4 * np.sqrt(1 / 6 * 5 / 6 / len(SPEAKER))
    assert found["score"] == pytest.approx(1 / 6, abs=error)
    assert found["chance"] == pytest.approx(1 / 6, abs=error)
    assert found["p_value"] > 0.1


def test_chance_knows_that_a_class_is_frequent() -> None:
    column = np.repeat([0, 1], [300, 60])
    noise = np.random.default_rng(3).normal(size=(360, 2))
    found = probe(noise, column, permutations=9)
    assert found["chance"] == pytest.approx(300 / 360, abs=0.01)


def test_a_network_finds_what_is_not_linearly_there() -> None:
    features = np.random.default_rng(4).normal(size=(800, 4))
    column = (features[:, 0] * features[:, 1] > 0).astype(int)
    linear, network = (
        probe(features, column, kind=kind, permutations=0)["score"] for kind in PROBES
    )
    assert linear < 0.6 and network > 0.85


@pytest.mark.parametrize("kind", PROBES)
def test_a_probe_by_groups_does_not_take_the_group_for_the_class(kind: str) -> None:
    # The features know the dialogue, and only through it the speaker.
    features = features_of(DIALOGUE, width=40)
    options = {"kind": kind, "permutations": 0}
    assert probe(features, SPEAKER, **options)["score"] > 0.95
    assert probe(features, SPEAKER, groups=DIALOGUE, **options)["score"] < 0.5


def test_whole_speakers_change_gender_in_the_permutation() -> None:
    # Of six speakers with three of each gender, one in ten permutations is no change.
    found = probe(
        features_of(SPEAKER, width=40), GENDER, groups=SPEAKER, permutations=20
    )
    # Rows permuted one by one would give 0.5 almost exactly; whole speakers do not.
    rng = np.random.default_rng(0)
    mixed = shuffled(GENDER, SPEAKER, rng)
    assert all(len(set(mixed[who == SPEAKER])) == 1 for who in range(6))
    assert sorted(mixed) == sorted(GENDER)
    assert found["p_value"] > 0.04


def test_without_groups_rows_change_values_one_by_one() -> None:
    mixed = shuffled(EMOTION, None, np.random.default_rng(5))
    assert sorted(mixed) == sorted(EMOTION)
    assert any(
        sorted(mixed[who == SPEAKER]) != sorted(EMOTION[who == SPEAKER])
        for who in range(6)
    )


@pytest.mark.parametrize("groups", [None, SPEAKER])
def test_no_row_is_guessed_by_a_classifier_that_saw_its_group(
    groups: np.ndarray | None,
) -> None:
    class Rows(ClassifierMixin, BaseEstimator):
        """Says 1 where a row is of a unit that it was not fitted on."""

        def fit(self, x: np.ndarray, y: np.ndarray) -> "Rows":
            self.classes_ = np.unique(y)
            return self

        def predict(self, x: np.ndarray) -> np.ndarray:
            # The column of an unseen unit was constant: standardising left it as it is.
            return (x == 1.0).any(1).astype(int)

    units = np.arange(60) if groups is None else np.repeat(np.arange(6), 10)
    identity = np.eye(units.max() + 1)[units]
    target = np.tile([0, 1], 30)
    own = None if groups is None else units
    unseen = held_out_guesses(Rows(), identity, target, own, seed=0)
    assert unseen.all()


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_chance_is_near_that_of_scikit_learns_permutation_test(share: float) -> None:
    rng = np.random.default_rng(0)
    target = (rng.random(300) > share).astype(int)
    features = rng.normal(size=(300, 4)) + 0.5 * target[:, None]
    own = probe(features, target)
    _, others, _ = permutation_test_score(
        LogisticRegression(C=0.1), features, target, cv=3, n_permutations=20
    )
    assert own["score"] > own["chance_p95"] >= own["chance"]
    assert own["chance"] == pytest.approx(others.mean(), abs=0.03)
    assert own["chance"] >= max(target.mean(), 1 - target.mean()) - 1e-12


@pytest.mark.slow
def test_p_is_small_at_most_as_often_as_it_says_when_nothing_is_there() -> None:
    p_values = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        noise, column = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
        p_values.append(probe(noise, column, permutations=4, seed=seed)["p_value"])
    # Values are fifths; a share of .4 is expected, and three deviations allowed.
    share = np.mean(np.array(p_values) <= 0.4)
    assert share <= 0.4 + 3 * np.sqrt(0.4 * 0.6 / 30)


def test_rows_without_a_value_and_rare_values_take_no_part() -> None:
    column = np.array(["a"] * 40 + ["b"] * 40 + [""] * 40 + ["rare"] * 2)
    taken = usable_rows(column, None, rows=1000, seed=0)
    assert set(column[taken]) == {"a", "b"} and len(taken) == 80
    # By groups, a value needs as many groups as there are folds.
    groups = np.array([0, 1] * 20 + [2, 3, 4, 5] * 10 + [6] * 42)
    assert set(column[usable_rows(column, groups, rows=1000, seed=0)]) == {"b"}
    assert FOLDS == 3


@pytest.mark.parametrize("column", [np.zeros(50, int), np.full(50, "")])
def test_nothing_to_tell_apart_gives_nan(column: np.ndarray) -> None:
    found = probe(np.ones((50, 2)), column)
    assert np.isnan([found[word] for word in ("score", "chance", "p_value")]).all()
    assert found["classes"] < 2


def test_an_unknown_probe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="choose from linear, network"):
        probe(features_of(SPEAKER), SPEAKER, kind="forest")


def test_at_most_so_many_rows_and_the_same_seed_the_same_numbers() -> None:
    features = features_of(EMOTION, size=0.5)
    few = [probe(features, EMOTION, rows=60, seed=s, permutations=2) for s in (0, 0, 1)]
    assert few[0] == few[1] != few[2]
    assert len(usable_rows(EMOTION, None, rows=60, seed=0)) == 60
