"""Counts of the rows that a run trains on and tests, and of the rows left out."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.harmonise import describe_unknown, emotion_map, unknown_words
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.types import UNKNOWN
from dann_jax.utils.words import listed, shorten

_MOST_CLASSES = 12


def describe_rows(protocol: Protocol, corpus: Corpus) -> list[str]:
    """Counts of labelled, unlabelled (by emotion word) and used rows, and of classes.

    Args:
      protocol: the roles.
      corpus: that they are of.

    Returns:
      Lines for a person.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> from dann_jax.tasks.protocols import make_protocol
      >>> corpus = synthetic_conversations(sessions=2, dialogues=2, turns=8)
      >>> protocol = make_protocol(
      ...     corpus,
      ...     split="leave_one_out",
      ...     split_args={"column": "session"},
      ...     labels=("anger", "neutral"),
      ...     validation_folds=0,
      ... )
      >>> describe_rows(protocol, corpus)[0].partition(" (")[0]
      '24 rows: 18 labelled'
    """
    used = int((protocol.roles != Role.HELD_OUT).any(0).sum())
    tested = int((protocol.roles == Role.TEST).any(0).sum())
    if protocol.targets:
        rated = int((~np.isnan(protocol.value)).any(1).sum())
        labelled = f"{rated} with {' or '.join(protocol.targets)}"
        return [f"{len(corpus)} rows: {labelled}; {used} used, {tested} tested"]
    known = protocol.label != UNKNOWN
    words = corpus.column(protocol.label_column)[~known]
    lines = [
        f"{len(corpus)} rows: {known.sum()} labelled ({_class_counts(protocol)}), "
        f"{len(words)} unlabelled{_by_word(words)}; {used} used, {tested} tested"
    ]
    if protocol.shares is not None:
        divided = int(((protocol.shares > 0).sum(1) > 1).sum())
        lines.append(
            f"soft labels: what each row is trained on is the share of its raters who "
            f"named each class; in {divided} labelled rows they differ "
            f"(config.protocol.rater_shares=False trains on the hard label)"
        )
    return lines


def describe_unknown_emotions(corpus: Corpus, labels: Sequence[str]) -> list[str]:
    """Emotion words that are neither labels nor in any table, with their counts.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> describe_unknown_emotions(synthetic_conversations(), ("anger",))
      []
    """
    words = corpus.columns.get("emotion", np.zeros(0, str))
    unknown = unknown_words(words[~np.isin(words, labels)], emotion_map("manifest"))
    return [describe_unknown(unknown, "--config.data.emotions")] if unknown else []


def _class_counts(protocol: Protocol) -> str:
    counts = np.bincount(
        protocol.label[protocol.label != UNKNOWN], minlength=len(protocol.labels)
    )
    if len(counts) > _MOST_CLASSES:
        return f"{len(counts)} classes of {counts.min()} to {counts.max()} rows"
    named = zip(protocol.labels, counts, strict=True)
    return ", ".join(f"{shorten(value)} {count}" for value, count in named)


def _by_word(words: np.ndarray) -> str:
    counts = Counter(words.tolist()).most_common()
    named = [
        f"{shorten(value) or 'without a known emotion'} {count}"
        for value, count in counts
    ]
    return f" ({listed(named, 10)})" if named else ""
