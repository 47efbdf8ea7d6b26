"""The studies of a new person's clips and of label-free choices, on made-up numbers."""

import numpy as np
import pytest
from test_enrolment_statistics import PROTOCOL, SPEAKER, corpus_of, how

from benchmarks.studies.clip_curves import HEADS, draw, gains, table
from benchmarks.studies.enrolment import enrolled, rows_of_speakers, standardised
from benchmarks.studies.label_free_choice import criterion_table, pooled_ua
from benchmarks.studies.visible_clips import with_few_visible
from dann_jax.evaluation.unsupervised import entropy
from dann_jax.tasks.roles import Role
from dann_jax.tasks.speaker_statistics import KINDS
from dann_jax.tasks.task import make_task

CORPUS = corpus_of()
CURVES = {"town": {"none": {"0": [0.5]}, "z": {"0": [0.5], "5": [0.5, 0.6]}}}


@pytest.mark.parametrize("kind", KINDS)
def test_who_gives_all_clips_is_standardised_as_by_the_task(kind: str) -> None:
    task = make_task(
        CORPUS, PROTOCOL, {}, batch_size=4, num_buckets=1, standardisation=how(kind)
    )
    (rows,) = rows_of_speakers(task, 0)
    mean, scale = (part[0, 0] for part in task.evaluation.standardiser["voice"])
    expected = (CORPUS.features["voice"][rows] - mean) / scale
    found = standardised(task, "voice", 0, rows, rows[::-1])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_one_clip_alone_stands_at_the_mean_in_units_of_the_training_speakers() -> None:
    task = make_task(
        CORPUS, PROTOCOL, {}, batch_size=4, num_buckets=1, standardisation=how("z")
    )
    prior, values = task.priors["voice"][0], CORPUS.features["voice"]
    mean, scale = enrolled(prior, how("z"), values, np.array([3]))
    np.testing.assert_allclose(scale, prior.scale * prior.spread)
    np.testing.assert_allclose(mean, values[3] + prior.scale * prior.centre)


def test_a_few_tested_rows_of_each_speaker_are_visible_and_none_is_tested() -> None:
    speaker = CORPUS.column("speaker")
    few = with_few_visible(PROTOCOL, speaker, 3, 0)
    unlabelled = few.roles == Role.UNLABELLED
    assert unlabelled.sum(1).tolist() == [3, 3]
    assert (SPEAKER[unlabelled[0]] == 0).all() and (SPEAKER[unlabelled[1]] == 1).all()
    assert not (few.roles == Role.TEST).any()
    labelled = PROTOCOL.roles == Role.LABELLED
    np.testing.assert_array_equal(few.visible(), labelled | unlabelled)
    other = with_few_visible(PROTOCOL, speaker, 3, 1)
    assert (other.roles != few.roles).any()


def test_criteria_look_at_the_rows_of_their_fold_alone() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    logits[0, :, 3:] = logits[1, :, :3] = np.nan
    found = criterion_table(logits, [3, 2], 1)["entropy"]
    assert found.shape == (2, 3)
    assert found[1, 2] == pytest.approx(-entropy(logits[1, 2, 3:]))
    both = criterion_table(logits, [3, 2], 2)["entropy"]
    np.testing.assert_allclose(both, found.mean(0, keepdims=True))
    with pytest.raises(ValueError, match="3 rows are predicted where 4 are tested"):
        criterion_table(logits, [4, 2], 1)


def test_a_choice_is_pooled_over_what_each_fold_takes() -> None:
    right, wrong = [[2, 0], [0, 2]], [[0, 2], [2, 0]]
    replicas = [
        {"fold": fold, "seed": seed, "arm": arm, "confusion": counts}
        for seed in (0, 1)
        for fold, counts_of in (("a", (right, wrong)), ("b", (wrong, right)))
        for arm, counts in zip(("one", "two"), counts_of, strict=True)
    ]
    results = {"replicas": replicas}
    assert pooled_ua(results, "one") == 0.5
    assert pooled_ua(results, {"a": "one", "b": "two"}) == 1.0


def test_curves_are_means_over_draws_and_gains_are_points_over_no_clips() -> None:
    assert "| town | z | 50.0 |  |  |  | 55.0 ± 5.0 |" in table(CURVES)
    whole = {head: [0.5 + 0.01 * place] for place, head in enumerate(HEADS)}
    assert "| town | z | +4.0 | +7.0 | 57 % |" in gains({"town": {"z": whole}})
    assert "| town | z | -4.0 | -7.0 |  |" in gains(
        {"town": {"z": {head: [1 - own[0]] for head, own in whole.items()}}}
    )
    assert len(draw({**CURVES, "village": {"z": whole}}).axes) == 2
