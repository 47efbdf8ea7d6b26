"""What identifies the data that a run learns from, and how two of them differ.

A digest alone says that something changed. Beside each digest stand a few bits of every
row, so that a refusal can say which rows, and of which columns and features.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.corpora.corpus import Corpus
from dann_jax.corpora.frames import Frames
from dann_jax.task import Task

FORMAT = 1
"""Of `data.json`; one of another format cannot be compared."""

_BYTES = 3
"""Kept of the digest of a row, as four characters of text."""

_ROUNDING = 1e-3
"""Other machines add numbers up in another order; other data differ by more."""

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
      >>> from dann_jax.corpora import synthetic_conversations
      >>> from dann_jax.protocols import make_protocol
      >>> from dann_jax.task import make_task
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
      >>> one = fingerprint(task)
      >>> len(one["digest"]), differences(one, one)
      (32, [])
    """
    found = {
        "format": FORMAT,
        "rows": len(task.corpus),
        "utt_id": task.corpus.columns["utt_id"].tolist(),
        "folds": list(task.protocol.folds),
        "outputs": list(task.protocol.outputs),
        "given": _given(task.corpus),
        "derived": _derived(task),
    }
    return {
        "digest": _digest_of(found),
        **found,
        "standardiser": {
            name: [np.abs(mean).mean(1).tolist(), scale.mean(1).tolist()]
            for name, (mean, scale) in task.evaluation.standardiser.items()
        },
    }


def is_whole(found: Any) -> bool:
    """Whether it is a fingerprint none of whose bits has changed."""
    if not isinstance(found, dict):
        return False
    rest = {name: found[name] for name in _COVERED if name in found}
    return found.get("digest") == _digest_of(rest) and "standardiser" in found


def _digest_of(found: Mapping[str, Any]) -> str:
    return _digest(json.dumps(found, sort_keys=True).encode()).hex()


def _given(corpus: Corpus) -> dict[str, Part]:
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
    arrays |= {
        f"domain of the adversary {name!r}": ids.T
        for name, ids in sorted(task.training.domain.items())
    }
    if task.training.group is not None:
        arrays["domain of the normalisation"] = task.training.group
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
    kept = b"".join(digest[:_BYTES] for digest in digests)
    return {
        "digest": _digest(b"".join(digests)).hex(),
        "rows": base64.b64encode(kept).decode(),
    }


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def differences(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """How the data of now differ from those of before, in words; none if not at all.

    A column that only the new data have is no difference: what it changes of the roles,
    the domains or the order is found there.

    Args:
      new: as from `fingerprint`.
      old: likewise, as it was written.
    """
    found = _of_kinds(new, old, ("given", "derived"))
    for name, word in (("folds", "folds"), ("outputs", "classes or targets")):
        if new[name] != old[name]:
            found.append(f"the {word} are {_some(new[name])}, were {_some(old[name])}")
    return found or _of_standardisers(new["standardiser"], old["standardiser"])


def corpus_differences(corpus: Corpus, old: Mapping[str, Any]) -> list[str]:
    """As `differences`, of a corpus for which there may be no protocol."""
    ids = corpus.columns["utt_id"].tolist()
    return _of_kinds({"utt_id": ids, "given": _given(corpus)}, old, ("given",))


def _of_kinds(
    new: Mapping[str, Any], old: Mapping[str, Any], kinds: Sequence[str]
) -> list[str]:
    found = [*_of_rows(new["utt_id"], old["utt_id"])]
    in_both = _rows_in_both(new["utt_id"], old["utt_id"])
    for kind in kinds:
        found += _of_parts(new[kind], old[kind], new["utt_id"], in_both)
    return found


def _of_rows(new: Sequence[str], old: Sequence[str]) -> Iterator[str]:
    gone, more = set(old) - set(new), set(new) - set(old)
    if gone:
        yield f"{len(gone)} of {len(old)} rows are gone ({_some(sorted(gone))})"
    if more:
        yield f"{len(more)} of {len(new)} rows are new ({_some(sorted(more))})"
    if [name for name in new if name not in more] != [
        name for name in old if name not in gone
    ]:
        yield "the order of the rows is another one"


def _rows_in_both(
    new: Sequence[str], old: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Where the rows that both have stand in each, both int `[n]`."""
    place = {name: index for index, name in enumerate(old)}
    pairs = [(index, place[name]) for index, name in enumerate(new) if name in place]
    first, second = np.array(pairs, int).reshape(-1, 2).T
    return first, second


def _of_parts(
    new: Mapping[str, Part],
    old: Mapping[str, Part],
    ids: Sequence[str],
    in_both: tuple[np.ndarray, np.ndarray],
) -> Iterator[str]:
    for name in old:
        if name not in new:
            yield f"{name} is gone"
            continue
        if new[name] == old[name]:
            continue
        now, before = (
            np.frombuffer(base64.b64decode(part["rows"]), f"V{_BYTES}")
            for part in (new[name], old[name])
        )
        rows = in_both[0][now[in_both[0]] != before[in_both[1]]]
        if len(rows):
            yield (
                f"{name}: {len(rows)} of {len(in_both[0])} rows differ "
                f"({_some([ids[row] for row in rows])})"
            )


def _of_standardisers(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    return [
        f"{name!r} is standardised in another way"
        for name in new
        if np.shape(new[name]) != np.shape(old.get(name))
        or not np.allclose(new[name], old[name], rtol=_ROUNDING, atol=0.0)
    ]


def _some(names: Sequence[str], limit: int = 3) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown}, ..." if len(names) > limit else shown
