"""What the adversary is worth beside what does without one: paired differences of UA.

The arms that a difference is of may be of two runs: folds, seeds and speakers are the
same in all cells of a corpus and its features.
"""

import pathlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.finished import predicted
from benchmarks.folds import Counts, counts_of, difference
from benchmarks.studies.adversary_cells import Cell
from benchmarks.studies.adversary_summary import combine

Side = tuple[str, str, str]
"""How features are standardised, what training sees, and the arm."""

_PLAIN, _UNSEEN = ("none", "transductive"), ("none", "inductive")
_STANDARDISED = ("speaker", "transductive", "source_only")
QUESTIONS: Mapping[str, tuple[Side, Side]] = {
    "adversary .3 against z by domain": ((*_PLAIN, "dann"), _STANDARDISED),
    "MCC against z by domain": ((*_PLAIN, "mcc"), _STANDARDISED),
    "adversary .3 against MCC": ((*_PLAIN, "dann"), (*_PLAIN, "mcc")),
    "adversary .3 + MCC against MCC": ((*_PLAIN, "dann_mcc"), (*_PLAIN, "mcc")),
    "adversary .3 with the tested rows against without": (
        (*_PLAIN, "dann"),
        (*_UNSEEN, "dann"),
    ),
}
"""Question -> the two sides whose difference answers it."""
_KINDS = {side[:2] for pair in QUESTIONS.values() for side in pair}


def contrasts_of(cells: Sequence[Cell], output: pathlib.Path) -> dict[str, Any]:
    """The answers of the questions whose runs are among the cells.

    Args:
      cells: that are finished.
      output: of the study, with checkpoints: the tested rows are predicted once more.

    Returns:
      For each of the features `corpora`, corpus -> question -> difference of UA, the
      ends of its interval, p and the number of seeds; and `over_corpora`, question ->
      what `adversary_summary.combine` says of two corpora or more.
    """
    corpora: dict[str, dict[str, Any]] = defaultdict(dict)
    for features, corpus in dict.fromkeys((own.features, own.corpus) for own in cells):
        counts: dict[Side, Counts] = {}
        for cell in cells:
            kind = cell.standardised, cell.mode
            if (cell.features, cell.corpus) == (features, corpus) and kind in _KINDS:
                arms = counts_of_run(output / "runs" / cell.name, output / cell.store)
                counts |= {(*kind, arm): each for arm, each in arms.items()}
        corpora[features][corpus] = {
            question: difference(counts[one], counts[other])
            for question, (one, other) in QUESTIONS.items()
            if one in counts and other in counts
        }
    return {
        features: {"corpora": own, "over_corpora": _over_corpora(own)}
        for features, own in corpora.items()
    }


def counts_of_run(workdir: pathlib.Path, source: pathlib.Path) -> dict[str, Counts]:
    """Arm -> confusion counts of a run that has ended, as by `predicted`."""
    folds, logits = predicted(workdir, source)
    return {arm: counts_of(folds, each) for arm, each in logits.items()}


def _over_corpora(corpora: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    answers = {
        question: [own[question] for own in corpora.values() if question in own]
        for question in QUESTIONS
    }
    return {
        question: combine(each) for question, each in answers.items() if len(each) > 1
    }
