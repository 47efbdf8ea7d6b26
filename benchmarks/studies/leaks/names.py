"""What leaks are called, and what their functions share."""

import dataclasses

import numpy as np

from dann_jax.tasks.roles import Protocol
from dann_jax.tasks.splits import ProtocolError

LEAKS = {
    "speaker": "speakers are both trained on and tested",
    "recording": "copies of test recordings are trained on",
    "text": "sentences are both trained on and tested",
    "normalisation": "test rows fit the normalisation",
    "selection": "test labels choose the step to keep",
    "balance": "test labels balance the classes that the adversary sees",
}
"""The name of a leak in `allowed_leaks` -> what it means."""


def with_leaks(protocol: Protocol, *leaks: str) -> Protocol:
    """The same protocol with these leaks named in `allowed_leaks`."""
    allowed = tuple(dict.fromkeys([*protocol.allowed_leaks, *leaks]))
    return dataclasses.replace(protocol, allowed_leaks=allowed)


def drawn_as(
    wanted: np.ndarray,
    pool: np.ndarray,
    protocol: Protocol,
    fold: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw rows with given labels.

    Args:
      wanted: int `[n]`, labels.
      pool: rows to draw from, without putting them back.
      protocol: whose labels these are.
      fold: of the protocol, for the message.
      rng: draws.

    Returns:
      Rows of the pool, int `[n]`, with as many of each label as `wanted` has.

    Raises:
      ProtocolError: the pool has fewer of a label.
    """
    drawn = []
    for value, count in zip(*np.unique(wanted, return_counts=True), strict=True):
        own = pool[protocol.label[pool] == value]
        if len(own) < count:
            raise ProtocolError(
                f"fold {protocol.folds[fold]!r} has {len(own)} rows of "
                f"{protocol.labels[value]!r} to exchange, {count} are needed"
            )
        drawn.append(rng.choice(own, count, replace=False))
    return np.concatenate(drawn)
