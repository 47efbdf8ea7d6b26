"""What identifies the data that a run learns from.

A digest alone says that something changed. Beside each digest stand a few bits of every
row, so that a refusal can say which rows, and of which columns and features.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.data.normalise import standardise_by
from dann_jax.tasks.speaker_statistics import Standardisation
from dann_jax.tasks.task import Task

FORMAT = 1
"""Of `data.json`; one of another format cannot be compared."""

BYTES_A_ROW = 3
"""Kept of the digest of a row, as four characters of text."""

_COVERED = ("format", "rows", "utt_id", "folds", "outputs", "given", "derived")
"""By the digest of the whole."""

Part = dict[str, str]
"""`digest`: of all rows; `rows`: four characters for each of them."""


def fingerprint(task: Task) -> dict[str, Any]:
    """What a run learns from, as `data.json` keeps it.

    Args:
      task: of the run; its features are read once, row by row.

    Returns:
      JSON values. `digest` covers all but the standardiser, which is compared up to
      rounding; `given` is what the corpus holds, `derived` what the protocol and the
      adversaries make of it.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> from dann_jax.tasks.protocols import make_protocol
      >>> from dann_jax.tasks.task import make_task
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> protocol = make_protocol(
      ...     corpus,
      ...     split="leave_one_out",
      ...     split_args={"column": "session"},
      ...     name="leave-one-session-out",
      ...     labels=("anger", "neutral"),
      ...     validation_folds=0,
      ... )
      >>> task = make_task(corpus, protocol, {}, batch_size=2, num_buckets=1)
      >>> content = fingerprint(task)
      >>> content["rows"] == len(corpus), len(content["digest"]), is_whole(content)
      (True, 32, True)
    """
    content = {
        "format": FORMAT,
        "rows": len(task.corpus),
        "utt_id": task.corpus.columns["utt_id"].tolist(),
        "folds": list(task.protocol.folds),
        "outputs": list(task.protocol.outputs),
        "given": given(recorded_corpus(task.corpus, task.standardisation)),
        "derived": _derived(task),
    }
    return {
        "digest": _digest_of(content),
        **content,
        "standardiser": _summary(task),
    }


def is_whole(recorded: Any) -> bool:
    """Whether it is a fingerprint none of whose bits has changed."""
    if not isinstance(recorded, dict):
        return False
    rest = {name: recorded[name] for name in _COVERED if name in recorded}
    return recorded.get("digest") == _digest_of(rest) and "standardiser" in recorded


def _digest_of(recorded: Mapping[str, Any]) -> str:
    return _digest(json.dumps(recorded, sort_keys=True).encode()).hex()


def recorded_corpus(corpus: Corpus, how: Standardisation | None) -> Corpus:
    """The corpus whose features are recorded.

    Earlier versions standardised the features themselves by a column, and their runs
    go on.
    """
    return standardise_by(corpus, how.column) if how and how.kind == "z" else corpus


def _summary(task: Task) -> dict[str, list[list[float]]]:
    """Modality -> mean magnitude and scale of each fold."""
    how = task.standardisation
    by = f" by {how.column}" if how else ""
    return {
        f"{name}{by}": [
            part.reshape(len(part), -1).mean(1).tolist()
            for part in (np.abs(mean), scale)
        ]
        for name, (mean, scale, *_) in task.evaluation.standardiser.items()
    }


def given(corpus: Corpus) -> dict[str, Part]:
    """Columns but the ids, and features, of which what is absent is left out."""
    parts = {
        name: _part(map(_encoded, column.tolist()), cached=True)
        for name, column in sorted(corpus.columns.items())
        if name != "utt_id"
    }
    for name, array in sorted(corpus.features.items()):
        row = array.row if isinstance(array, Frames) else array.__getitem__
        rows = _feature_rows(row, corpus.present[name])
        parts[f"features of {name!r}"] = _part(rows)
    return parts


def _encoded(text: str) -> bytes:
    # A name of a file need not be UTF-8.
    return text.encode(errors="surrogatepass")


def _feature_rows(
    row: Callable[[int], np.ndarray], present: np.ndarray
) -> Iterator[bytes]:
    """The bytes of each row; none where an utterance lacks the modality."""
    for index, there in enumerate(present):
        values = row(index) if there else np.zeros(0)
        yield f"{values.dtype.str}{values.shape}".encode() + values.tobytes()


def _derived(task: Task) -> dict[str, Part]:
    protocol, corpus = task.protocol, task.corpus
    answers = protocol.label if protocol.value is None else protocol.value
    sides = [protocol.roles, protocol.test_side, protocol.adapt_side]
    arrays = {
        "label": answers,
        "roles": np.concatenate([np.int8(side) for side in sides]).T,
        "dialogue and turn": _neighbours(corpus),
    }
    if protocol.shares is not None:
        arrays["shares of raters"] = protocol.shares
    arrays |= {
        f"domain of the adversary {name!r}": ids.T
        for name, ids in sorted(task.training.domain.items())
    }
    if task.training.norm_domain is not None:
        arrays["domain of the normalisation"] = task.training.norm_domain
    return {name: _part(_array_rows(a), cached=True) for name, a in arrays.items()}


def _array_rows(array: np.ndarray) -> Iterator[bytes]:
    return (row.tobytes() for row in np.ascontiguousarray(array))


def _neighbours(corpus: Corpus) -> np.ndarray:
    """The utterance before each in its dialogue, and who of its speakers talks."""
    ids, before = corpus.columns["utt_id"], np.full(len(corpus), "", object)
    for rows in corpus.dialogues():
        before[rows[1:]] = ids[rows[:-1]]
    pairs = zip(before, corpus.parties(), strict=True)
    return np.array([f"{party} {name}" for name, party in pairs])


def _part(rows: Iterable[bytes], *, cached: bool = False) -> Part:
    """Digests of the rows; `cached` where many of them are alike."""
    known: dict[bytes, bytes] = {}

    def of(row: bytes) -> bytes:
        if row not in known:
            known[row] = _digest(row)
        return known[row]

    digests = [of(row) if cached else _digest(row) for row in rows]
    kept = b"".join(digest[:BYTES_A_ROW] for digest in digests)
    return {
        "digest": _digest(b"".join(digests)).hex(),
        "rows": base64.b64encode(kept).decode(),
    }


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
