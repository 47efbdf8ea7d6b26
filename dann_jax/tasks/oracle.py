"""The oracle of a target: what its own labels would give, an upper bound to adaptation.

It breaks the one rule that all else here keeps, so it takes two keys that must agree: a
protocol with `oracle` and without that word in `allowed_leaks` is refused, and so is
the other way round. Source rows take no part, so that no arm without the leak can be
in the same program, and every table says what it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.splits import ProtocolError, Split

ORACLE = "oracle"
"""The name of this leak in `allowed_leaks`."""

TARGET_ONLY = "target_only"
"""The only arm of an oracle: there is no source and nothing to adapt."""

PARTS = 5
"""Number of parts of a target, if it has enough values."""


def oracle_splits(
    corpus: Corpus, splits: Sequence[Split], column: str, label_column: str = "emotion"
) -> list[Split]:
    """Folds that test what `splits` test, and train on other rows of the same target.

    What a split sets aside for adaptation trains, all of it with labels. Where it sets
    nothing aside, the tested side is cut into parts by `column`, and each part is
    tested by a network that was trained on the others. Splits that test the same rows
    have the same oracle, which is trained once.

    Args:
      corpus: all rows.
      splits: of the protocol without the oracle.
      column: trained and tested rows never share a value of it: `speaker`, or
        `utt_id` where the target is one speaker.
      label_column: parts have, as far as they can, the same shares of its values.

    Raises:
      ProtocolError: a fold tests fewer than two values of the column.
    """
    groups = corpus.column(column)
    labels = corpus.columns.get(label_column, groups)
    folds_of: dict[tuple[bytes, bytes], list[Split]] = {}
    for split in splits:
        target = split.name.rpartition(" -> ")[2]
        key = (split.test.tobytes(), split.adapt.tobytes())
        if key in folds_of:
            continue
        folds_of[key] = (
            [split._replace(name=target, train=split.adapt, adapt=_none(split))]
            if split.adapt.any()
            else _parts(target, split, groups, labels, column)
        )
    return [fold for folds in folds_of.values() for fold in folds]


def oracle_roles(column: str, roles: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of `assign_roles` for an oracle over `column`, if it is named as one.

    Args:
      column: of `oracle_splits`; empty for a protocol without an oracle, whose
        arguments are returned unchanged.
      roles: of the protocol without the oracle.

    Raises:
      ProtocolError: there is an oracle that `allowed_leaks` does not name, or one is
        named and there is none.
    """
    named = ORACLE in roles.get("allowed_leaks", ())
    if column and not named:
        raise ProtocolError(
            f"oracle={column!r} trains on labels of the target; to run it all the "
            f"same, with a note in every table, put {ORACLE!r} into allowed_leaks"
        )
    if named and not column:
        raise ProtocolError(
            f"allowed_leaks names an {ORACLE!r} and there is none: set oracle to the "
            f"column, such as 'speaker', that trained and tested rows differ in"
        )
    if not column:
        return dict(roles)
    return {
        **roles,
        "name": f"{roles['name']}, target-only oracle apart in {column}",
        # Source and target are one.
        "disjoint": (column,),
        # They all are.
        "labelled_target": 0,
    }


def leak_notes(allowed_leaks: Sequence[str]) -> list[str]:
    """Notes on the leaks of a run for its tables; none without leaks.

    Example:
      >>> leak_notes(["oracle", "session"])[1]
      'LEAK ALLOWED: train and test share session'
    """
    others = [name for name in allowed_leaks if name != ORACLE]
    notes = []
    if ORACLE in allowed_leaks:
        notes.append("ORACLE, an upper bound: trained on labels of the target")
    if others:
        notes.append(f"LEAK ALLOWED: train and test share {', '.join(others)}")
    return notes


def _parts(
    target: str, split: Split, groups: np.ndarray, labels: np.ndarray, column: str
) -> list[Split]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    rows = np.flatnonzero(split.test)
    values = len(np.unique(groups[rows]))
    if values < 2:
        raise ProtocolError(
            f"fold {split.name!r} tests one value of {column!r}; an oracle needs two, "
            f"to learn from one and score the other: cut it by another column, such as "
            f"'utt_id'"
        )
    if np.array_equal(groups, labels):
        # Speakers to be verified are classes that no two parts share, two in a part.
        splitter, most = GroupKFold, values // 2
    else:
        splitter = StratifiedGroupKFold
        most = min(values, np.unique(labels[rows], return_counts=True)[1].min())
    cut = splitter(n_splits=max(2, min(PARTS, most)))
    parts = []
    for number, (train, test) in enumerate(
        cut.split(rows, labels[rows], groups[rows]), start=1
    ):
        masks = np.zeros((2, len(split.test)), bool)
        masks[0, rows[train]] = masks[1, rows[test]] = True
        parts.append(Split(f"{target}, part {number}", *masks, _none(split)))
    return parts


def _none(split: Split) -> np.ndarray:
    return np.zeros_like(split.test)
