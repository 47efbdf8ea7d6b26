"""What to know before the scores of a run are believed: whose rows, and how few."""

from collections.abc import Iterator

import numpy as np

from dann_jax.data.doubts import doubts
from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task
from dann_jax.types import UNKNOWN

FEW_SPEAKERS = 5
"""With fewer tested speakers an interval over speakers says little."""

FEW_ROWS = 10
"""With fewer tested rows of a class each moves its recall by more than ten points."""

ADVICE = (
    "One person under two names may be trained on and tested in the same fold, which "
    "flatters the scores: give each person one name in the manifest, run dann-prepare "
    "--renew if it is a store, and train in a new --workdir"
)


def cautions(task: Task) -> dict[str, list[str]]:
    """Sentences to stand beside the scores, as `cautions` of `results.json`.

    Args:
      task: of the run.

    Returns:
      `people`: doubts about names of speakers, and what to do; `size`: what is tested
      on too little. Both empty where there is nothing to say.
    """
    columns = task.corpus.columns
    names = {name: columns[name] for name in ("speaker", "corpus") if name in columns}
    people = list(doubts(names))
    return {"people": [*people, *[ADVICE] * bool(people)], "size": list(_size(task))}


def _size(task: Task) -> Iterator[str]:
    protocol = task.protocol
    tested = (protocol.roles == Role.TEST).any(0)
    if not tested.any():
        return
    speakers = len(np.unique(task.corpus.column("speaker")[tested]))
    if speakers < FEW_SPEAKERS:
        yield (
            f"{_counted(speakers, 'speaker')} tested: intervals and comparisons hold "
            f"for no others; test {FEW_SPEAKERS} or more"
        )
    if protocol.kind != "classification":
        return
    label = protocol.label[tested & (protocol.label != UNKNOWN)]
    counts = np.bincount(label, minlength=len(protocol.labels))
    few = [
        f"{label} ({rows})"
        for label, rows in zip(protocol.labels, counts.tolist(), strict=True)
        if 0 < rows < FEW_ROWS
    ]
    if few:
        yield (
            f"fewer than {FEW_ROWS} tested rows of {', '.join(few)}: each moves the "
            f"recall of its class by {100 // FEW_ROWS} points or more, whatever the "
            f"interval says"
        )


def _counted(number: int, word: str) -> str:
    return f"only {number} {word}{'s are' if number != 1 else ' is'}"
