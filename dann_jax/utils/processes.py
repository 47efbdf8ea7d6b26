"""Share a result of the first process of a run with all of them."""

from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils


def by_first(act: Callable[[], int], refusal: type[ValueError], otherwise: str) -> int:
    """Call `act` in the first process, and return its result in all of them.

    Args:
      act: called in the first process alone; returns a number.
      refusal: what the other processes raise where it raises `ValueError` or `OSError`.
      otherwise: the message of it.

    Raises:
      ValueError, OSError: in all processes, if `act` does.
    """
    value, refused = 0, None
    if jax.process_index() == 0:
        try:
            value = act()
        except (ValueError, OSError) as error:
            refused = error
    if jax.process_count() > 1:
        message = np.array([refused is None, value], np.int64)
        usable, value = map(int, multihost_utils.broadcast_one_to_all(message))
        if not usable and refused is None:
            refused = refusal(otherwise)
    if refused is not None:
        raise refused
    return value


def is_same_everywhere(digest: str) -> bool:
    """Whether all processes have this digest (hexadecimal digits); all get the answer.

    Example:
      >>> is_same_everywhere("00ff")
      True
    """
    if jax.process_count() == 1:
        return True
    digest_bytes = np.frombuffer(bytes.fromhex(digest), np.uint8)
    everywhere = multihost_utils.process_allgather(digest_bytes)
    return bool((np.asarray(everywhere) == digest_bytes).all(1).all())
