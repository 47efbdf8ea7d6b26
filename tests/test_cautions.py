"""What is said beside scores: doubts about people, and too few of them."""

from types import SimpleNamespace

import numpy as np
import pytest
from reports import made_up_results

from dann_jax.data.corpus import Corpus
from dann_jax.evaluation.cautions import ADVICE, cautions
from dann_jax.report.page import report_page
from dann_jax.report.run import RunFiles
from dann_jax.report.tables import result_table
from dann_jax.tasks.protocols import make_protocol


def task_of(speakers: list[str], rows_each: int) -> SimpleNamespace:
    """Leave one speaker out, rows of two emotions in turn."""
    speaker = np.repeat(speakers, rows_each)
    emotion = np.resize(["anger", "joy"], len(speaker))
    ids = np.arange(len(speaker)).astype(str)
    columns = {"utt_id": ids, "speaker": speaker, "emotion": emotion}
    corpus = Corpus("toy", columns, {}, {})
    protocol = make_protocol(
        corpus,
        split="leave_one_out",
        split_args={"column": "speaker"},
        labels=("anger", "joy"),
        validation_folds=0,
    )
    return SimpleNamespace(corpus=corpus, protocol=protocol)


PLENTY = ["ann", "bob", "cid", "dan", "eve"]


def test_enough_speakers_of_different_names_need_no_caution() -> None:
    assert cautions(task_of(PLENTY, 4)) == {"people": [], "size": []}


def test_a_person_under_two_names_is_doubted_and_told_what_to_do() -> None:
    people = cautions(task_of([*PLENTY, "Eve"], 4))["people"]
    assert people == [
        "speakers 'Eve' and 'eve' differ only in case: one person or two?",
        ADVICE,
    ]


@pytest.mark.parametrize(
    ("speakers", "rows_each", "told"),
    [
        (PLENTY[:2], 20, ["only 2 speakers are tested"]),
        (PLENTY, 2, ["fewer than 10 tested rows of anger (5), joy (5)"]),
        (PLENTY[:4], 2, ["only 4 speakers", "rows of anger (4), joy (4)"]),
    ],
    ids=["speakers", "rows", "both"],
)
def test_what_is_too_small_is_told(
    speakers: list[str], rows_each: int, told: list[str]
) -> None:
    size = cautions(task_of(speakers, rows_each))["size"]
    assert len(size) == len(told)
    for sentence, words in zip(size, told, strict=True):
        assert words in sentence


def test_table_and_page_repeat_the_cautions() -> None:
    found = {"people": ["Eve and eve?"], "size": ["only 2 speakers are tested"]}
    results = {**made_up_results(), "cautions": found}
    table, page = result_table(results), report_page(RunFiles("run", results))
    data = page.partition('<section id="data"')[2]
    outcome = page.partition('<section id="results"')[2].partition("</section>")[0]
    assert "- Eve and eve?" in table and "Eve and eve?" in data
    assert "- only 2 speakers" in table and "only 2 speakers" in outcome
    assert "Before these numbers" not in result_table(made_up_results())
