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
    [(0.85, "not hidden"), (0.3, "partly hidden"), (0.21, "hidden"), (0.1, "hidden")],
)
def test_one_sentence_says_whether_the_speaker_is_hidden(
    accuracy: float, word: str
) -> None:
    sentence = hiding_sentence(run_with(accuracy))
    assert f"{100 * accuracy:.0f} % of the rows with dann (chance 20 %" in sentence
    assert sentence.endswith(f"90 % with source_only): {word}.")
    assert sentence in report_page(run_with(accuracy))


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
