"""The roles of the rows of one fold."""

from collections.abc import Sequence

import numpy as np

from dann_jax.tasks.roles import TARGET, Role
from dann_jax.tasks.splits import ProtocolError, Split

UNLABELLED_POOLS = ("other", "adapt", "test")
"""Where unlabelled rows may come from: other-label rows of the training side, rows of
the target that a split sets aside for adaptation, and the test side without its labels
(transductive)."""


_OF_SPLIT = "adapt_on, or filters of the split, set rows aside"
_OF_TARGET = (
    "a manifest or a store must give so many recordings of the target this emotion; a "
    "class that none has can be left out of protocol.labels; score_target takes all"
)
"""Where the rows of the adaptation side, and their labels, come from."""


def few_rows(
    label: np.ndarray,
    split: Split,
    labels: Sequence[str],
    count: int,
    seed: tuple[int, int],
) -> np.ndarray:
    """`count` rows of each class of the adaptation side, int `[count * classes]`."""
    chosen = []
    for index, name in enumerate(labels):
        # The draw must not depend on other rows or their labels.
        rows = np.flatnonzero(split.adapt & (label == index))
        if not 0 <= count <= len(rows):
            where = _OF_TARGET if split.name == TARGET else _OF_SPLIT
            raise ProtocolError(
                f"fold {split.name!r} sets {len(rows)} utterances of {name!r} aside "
                f"for adaptation; labelled_target must be between 0 and that, got "
                f"{count} ({where})"
            )
        drawn = np.random.default_rng([*seed, index]).permutation(rows)[:count]
        chosen.append(drawn)
    return np.concatenate(chosen)


def require_pools(unlabelled: Sequence[str]) -> None:
    """Raise `ProtocolError` unless all of them are `UNLABELLED_POOLS`."""
    wrong = sorted(set(unlabelled) - set(UNLABELLED_POOLS))
    if wrong:
        raise ProtocolError(
            f"unknown pool of unlabelled rows {wrong}; "
            f"choose from {', '.join(UNLABELLED_POOLS)}; () is none"
        )


def roles_of_sides(
    known: np.ndarray,
    scored: np.ndarray,
    split: Split,
    unlabelled: Sequence[str],
    unnamed: np.ndarray,
) -> np.ndarray:
    """Roles of one fold, before any labelled row is set aside for validation.

    Args:
      known: bool `[N]`, rows that can be trained on.
      scored: bool `[N]`, rows that can be tested.
      split: the sides.
      unlabelled: the pools.
      unnamed: bool `[N]`, rows that may be of a tested person whichever side they are
        on: they are seen if tested rows are.
    """

    def pool(name: str) -> Role:
        return Role.UNLABELLED if name in unlabelled else Role.HELD_OUT

    roles = np.full(len(known), Role.HELD_OUT, np.int8)
    roles[split.train] = np.where(known[split.train], Role.LABELLED, pool("other"))
    roles[split.adapt] = pool("adapt")
    roles[split.test] = np.where(scored[split.test], Role.TEST, pool("test"))
    roles[unnamed & (split.train | split.adapt | split.test)] = pool("test")
    return roles


def hold_out_copies(
    roles: np.ndarray, audio_hash: np.ndarray, adapt: np.ndarray | None = None
) -> None:
    """Keep recordings whose samples are tested under another name out of training.

    Args:
      roles: of one fold, `[N]`; changed in place.
      audio_hash: `identifiers.codes` of the hashes, `[N]`.
      adapt: bool `[N]`, rows that stand for tested ones where there are none.
    """
    target = roles == Role.TEST
    if adapt is not None and not target.any():
        target = adapt
    copied = np.unique(audio_hash[target & (audio_hash >= 0)])
    roles[np.isin(audio_hash, copied) & ~target] = Role.HELD_OUT


def set_validation_aside(
    roles: np.ndarray,
    adapt: np.ndarray,
    label: np.ndarray,
    cv_groups: np.ndarray,
    folds: int,
    seed: int,
    hidden: Role,
) -> None:
    """Set some cross-validation groups of one fold aside for validation.

    Args:
      roles: of the fold, `[N]`; changed in place.
      adapt: bool `[N]`, the side of adaptation: groups that are labelled there never
        validate, nor do rows of no group.
      label: int `[N]`.
      cv_groups: `identifiers.codes` of the column, `[N]`.
      folds: one in so many groups validates.
      seed: of the choice.
      hidden: what the other rows of a validation group become: what the rest of a test
        group is.
    """
    labelled = (roles == Role.LABELLED) & (cv_groups >= 0)
    with_target = np.isin(cv_groups, cv_groups[labelled & adapt])
    rows = np.flatnonzero(labelled & ~with_target)
    chosen = validation_rows(rows, label, cv_groups, folds, seed)
    rest = np.isin(cv_groups, cv_groups[chosen]) & (roles == Role.UNLABELLED)
    roles[rest] = hidden
    roles[chosen] = Role.VALIDATION


def validation_rows(
    rows: np.ndarray, label: np.ndarray, cv_groups: np.ndarray, folds: int, seed: int
) -> np.ndarray:
    """Row indices `[n]` of one of `folds` parts by group, stratified by class."""
    from sklearn.model_selection import StratifiedGroupKFold

    available = len(np.unique(cv_groups[rows]))
    if not 2 <= folds <= available:
        raise ProtocolError(
            f"validation_folds must be 0 or between 2 and the number of training "
            f"groups ({available}), got {folds}"
        )
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    _, chosen = next(splitter.split(rows, label[rows], cv_groups[rows]))
    return rows[chosen]
