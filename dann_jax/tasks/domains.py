"""The domain ids of an adversary, and the rows that have one."""

from collections.abc import Sequence

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.fold_roles import UNLABELLED_POOLS, require_pools
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError
from dann_jax.types import UNKNOWN


def domain_ids(
    protocol: Protocol,
    corpus: Corpus,
    *,
    column: str,
    unlabelled: Sequence[str] = UNLABELLED_POOLS,
) -> tuple[np.ndarray, int]:
    """Domain ids of an adversary, int32 `[F, N]`, and the number of domains.

    Over `speaker`, the adversary knows every speaker if the test side takes part, and
    training speakers only if it does not.

    Args:
      protocol: the roles.
      corpus: the columns; an empty value belongs to no domain.
      column: a column of the corpus; `"role"` for labelled (0) against unlabelled; or
        `"side"` for the source (0) against what a fold tests or adapts to.
      unlabelled: which pools of unlabelled rows take part beside the labelled ones,
        as far as the protocol lets training see them. Validation rows belong to the
        pool that test rows belong to.

    Returns:
      Ids, `UNKNOWN` where a row takes no part, and the number of domains.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> corpus = synthetic_conversations(sessions=3, dialogues=2, turns=8)
      >>> from dann_jax.tasks.protocols import make_protocol
      >>> protocol = make_protocol(
      ...     corpus,
      ...     split="leave_one_out",
      ...     split_args={"column": "session"},
      ...     name="leave-one-session-out",
      ...     labels=("anger", "neutral"),
      ...     validation_folds=0,
      ... )
      >>> ids, speakers = domain_ids(protocol, corpus, column="speaker")
      >>> ids.shape == (3, len(corpus)), speakers
      (True, 6)
    """
    require_pools(unlabelled)
    if column == "role":
        names = ("labelled", "unlabelled")
    elif column == "side":
        names = ("source", "target")
    else:
        names = known_values(corpus, column)
        values = value_ids(corpus.column(column), names)
    if len(names) < 2:
        raise ProtocolError(
            f"an adversary over {column!r} has nothing to classify: "
            f"the corpus has {len(names)} values of it"
        )
    ids = np.full(protocol.roles.shape, UNKNOWN, np.int32)
    # Fold by fold: of all folds at once every step would be as large as the result.
    for fold, roles in enumerate(protocol.roles):
        test, adapt = protocol.test_side[fold], protocol.adapt_side[fold]
        if column == "role":
            values = roles != Role.LABELLED
        elif column == "side":
            values = test | adapt
        like_test = test | (roles == Role.VALIDATION)
        pools = {"other": ~like_test & ~adapt, "adapt": adapt, "test": like_test}
        takes_part = roles == Role.LABELLED
        for pool in unlabelled:
            takes_part |= protocol.visible(fold) & pools[pool]
        ids[fold, takes_part] = values[takes_part]
    return ids, len(names)


def known_values(corpus: Corpus, column: str) -> tuple[str, ...]:
    """The values of a column, sorted, without the empty one."""
    values = corpus.column(column)
    return tuple(np.unique(values[values != ""]).tolist())


def value_ids(values: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Index of each value among the names, int32 `[N]`; `UNKNOWN` for another one.

    Example:
      >>> value_ids(np.array(["ur", "", "de"]), ("de", "it", "ur")).tolist()
      [2, -1, 0]
    """
    index_of = {name: index for index, name in enumerate(names)}
    distinct, index = np.unique(values, return_inverse=True)
    return np.array(
        [index_of.get(str(value), UNKNOWN) for value in distinct], np.int32
    )[index]
