"""The classes of a protocol that leaves them to its corpus."""

import logging
from collections.abc import Sequence

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.splits import ProtocolError, Split
from dann_jax.utils.words import listed

_log = logging.getLogger(__name__)


def corpus_labels(
    corpus: Corpus, column: str, splits: Sequence[Split], speakers: int = 0
) -> tuple[str, ...]:
    """The values of a column that can be classes, in order.

    Args:
      corpus: all rows.
      column: that holds the labels.
      splits: the folds.
      speakers: so many training speakers of every fold must have a value; for 0 it is
        enough that some fold has it on its training side. Others are named in the log.

    Raises:
      ProtocolError: fewer than two values have so many speakers.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> from dann_jax.tasks.splits import leave_one_out
      >>> corpus = synthetic_conversations(sessions=4, dialogues=5, turns=20)
      >>> splits = leave_one_out(corpus, "session")
      >>> corpus_labels(corpus, "emotion", splits, speakers=2)
      ('anger', 'happiness', 'neutral', 'sadness')
    """
    values = corpus.column(column)
    sides = np.any([split.train for split in splits], axis=0)
    found = tuple(np.unique(values[sides & (values != "")]).tolist())
    if not speakers:
        return found
    speaker = corpus.column("speaker")
    counts = {value: len(corpus) for value in found}
    for split in splits:
        for value in found:
            having = speaker[split.train & (values == value) & (speaker != "")]
            counts[value] = min(counts[value], len(np.unique(having)))
    rare = [f"{value} ({count})" for value, count in counts.items() if count < speakers]
    if rare and len(rare) > len(found) - 2:
        raise ProtocolError(
            f"it takes two classes that {speakers} training speakers of every fold "
            f"have, and fewer have {listed(rare)}: add speakers, or set "
            f"protocol.label_speakers and choose.folds to 0, to choose nothing"
        )
    if rare:
        _log.warning(
            "no classes, for want of %d training speakers in every fold who have them: "
            "%s",
            *(speakers, ", ".join(rare)),
        )
    return tuple(value for value, count in counts.items() if count >= speakers)
