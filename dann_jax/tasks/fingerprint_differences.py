"""How the data of now differ from those that a run learned from, in words."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.fingerprint import BYTES_A_ROW, Part, given

_OF_EMOTION = ("emotion_word", "binary_arousal", "binary_valence", "label")
"""What follows from the column `emotion`, or it from them: one edit changes all."""

_ROUNDING = 1e-3
"""Other machines add numbers up in another order; other data differ by more."""


def differences(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    """How the data of now differ from those of before, in words; none if not at all.

    A column that only the new data have is no difference: what it changes of the roles,
    the domains or the order is found there.

    Args:
      new: as from `fingerprint`.
      old: likewise, as it was written.
    """
    lines = _of_kinds(new, old, ("given", "derived"))
    for name, title in (("folds", "folds"), ("outputs", "classes or targets")):
        if new[name] != old[name]:
            lines.append(f"the {title} are {_some(new[name])}, were {_some(old[name])}")
    return lines or _of_standardisers(new["standardiser"], old["standardiser"])


def corpus_differences(corpus: Corpus, old: Mapping[str, Any]) -> list[str]:
    """As `differences`, of a corpus for which there may be no protocol."""
    ids = corpus.columns["utt_id"].tolist()
    return _of_kinds({"utt_id": ids, "given": given(corpus)}, old, ("given",))


def _of_kinds(
    new: Mapping[str, Any], old: Mapping[str, Any], kinds: Sequence[str]
) -> list[str]:
    lines = [*_of_rows(new["utt_id"], old["utt_id"])]
    in_both = _rows_in_both(new["utt_id"], old["utt_id"])
    changed: dict[str, np.ndarray] = {}
    for kind in kinds:
        lines += [f"{name} is gone" for name in old[kind] if name not in new[kind]]
        changed |= _changed_rows(new[kind], old[kind], in_both)
    return lines + _of_parts(changed, new["utt_id"], len(in_both[0]))


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
    old_index = {name: index for index, name in enumerate(old)}
    pairs = [
        (index, old_index[name]) for index, name in enumerate(new) if name in old_index
    ]
    first, second = np.array(pairs, int).reshape(-1, 2).T
    return first, second


def _changed_rows(
    new: Mapping[str, Part],
    old: Mapping[str, Part],
    in_both: tuple[np.ndarray, np.ndarray],
) -> dict[str, np.ndarray]:
    """Column or other part that both have -> the rows that differ, int `[n]`."""
    changed = {}
    for name in old:
        if name not in new or new[name] == old[name]:
            continue
        now, before = (
            np.frombuffer(base64.b64decode(part["rows"]), f"V{BYTES_A_ROW}")
            for part in (new[name], old[name])
        )
        rows = in_both[0][now[in_both[0]] != before[in_both[1]]]
        if len(rows):
            changed[name] = rows
    return changed


def _of_parts(
    changed: Mapping[str, np.ndarray], ids: Sequence[str], num_rows: int
) -> list[str]:
    """A line for each part that has changed; none for what one of emotion explains."""
    explained = changed.get("emotion", np.zeros(0, int))
    return [
        f"{name}: {len(rows)} of {num_rows} rows differ "
        f"({_some([ids[row] for row in rows])})"
        for name, rows in changed.items()
        if name not in _OF_EMOTION or not np.isin(rows, explained).all()
    ]


def _of_standardisers(new: Mapping[str, Any], old: Mapping[str, Any]) -> list[str]:
    return [
        f"{name!r} is standardised in another way"
        # Earlier versions standardised by speakers before they looked.
        for name in sorted(new.keys() & old.keys())
        if np.shape(new[name]) != np.shape(old[name])
        or not np.allclose(new[name], old[name], rtol=_ROUNDING, atol=0.0)
    ]


def _some(names: Sequence[str], limit: int = 3) -> str:
    shown = ", ".join(names[:limit])
    return f"{shown}, ..." if len(names) > limit else shown
