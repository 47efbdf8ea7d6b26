"""The sentences in the head of a page: scores, and whether a domain is hidden."""

import pytest
from reports import made_up_results

from dann_jax.report.page import report_page
from dann_jax.report.run import RunFiles
from dann_jax.report.summary import hiding_sentence, score_sentence

CONFIG = {
    "adversaries": {"speaker": {"column": "speaker"}},
    "arms": {"source_only": {}, "dann": {"speaker": 0.3}},
}


def run_with(accuracy: float, chance: float = 0.2, **config: object) -> RunFiles:
    results = made_up_results()
    for replica in results["replicas"]:
        found = accuracy if replica["arm"] == "dann" else 0.9
        replica["domain_probe"] = {"accuracy": found, "chance": chance}
    return RunFiles("run", results, config={**CONFIG, **config})


@pytest.mark.parametrize(
    ("accuracy", "word"),
    [(0.85, "not hidden"), (0.3, "partly hidden"), (0.21, "hidden"), (0.18, "hidden")],
)
def test_one_sentence_says_whether_the_speaker_is_hidden(
    accuracy: float, word: str
) -> None:
    sentence = hiding_sentence(run_with(accuracy))
    assert f"{100 * accuracy:.0f} % of the rows with dann (chance 20 %" in sentence
    assert sentence.endswith(f"90 % with source_only): {word}.")
    assert sentence in report_page(run_with(accuracy))


def test_a_probe_below_chance_proves_no_hiding() -> None:
    sentence = hiding_sentence(run_with(0.05, chance=0.25))
    assert "in 5 % of the rows with dann (chance 25 %" in sentence
    assert sentence.endswith(
        ": below chance, so the probe has failed to learn: no proof of hiding."
    )


def test_nothing_is_said_of_what_no_arm_hides() -> None:
    assert hiding_sentence(RunFiles("old", made_up_results())) == ""
    gender = {"speaker": {"column": "gender"}}
    assert hiding_sentence(run_with(0.5, adversaries=gender)) == ""
    assert hiding_sentence(run_with(0.5, arms={"source_only": {}, "dann": {}})) == ""
    assert hiding_sentence(run_with(float("nan"))) == ""


def test_the_scores_are_of_every_arm_or_of_the_baseline_and_the_best() -> None:
    few = made_up_results(("plain", "dann"))
    text = score_sentence(few)
    for arm in ("plain", "dann"):
        pooled = few["summary"][arm]["ua"]["pooled"]
        assert f"{arm} {100 * pooled:.1f} %" in text
    many = made_up_results(tuple("abcdef"))
    scores = {arm: own["ua"]["pooled"] for arm, own in many["summary"].items()}
    best = max(scores, key=scores.__getitem__)
    assert f"{best} is the best of 6 arms" in score_sentence(many)
    assert score_sentence(many).count(" %") == len({"a", best})


def test_arms_that_are_equally_good_are_all_called_the_best() -> None:
    tied = made_up_results(tuple("abcdef"))
    for arm, scores in tied["summary"].items():
        scores["ua"]["pooled"] = 0.7001 + 0.0001 * (arm == "e") if arm in "bde" else 0.6
    assert score_sentence(tied).endswith(
        "a 60.0 %, b 70.0 %; b, d and e are equally the best of 6 arms."
    )


def test_of_a_choice_the_chosen_is_named_and_the_best_is_of_hindsight() -> None:
    results = made_up_results((*"ab", "chosen", *"cde")) | {"choice": {}}
    for arm, scores in results["summary"].items():
        scores["ua"]["pooled"] = {"a": 0.5, "chosen": 0.7, "c": 0.71}.get(arm, 0.6)
    assert score_sentence(results).endswith(
        "a 50.0 %, chosen 70.0 %, c 71.0 %; c is the best of 5 candidates, in "
        "hindsight."
    )
