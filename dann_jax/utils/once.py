"""Warnings that a process gives once."""

import functools
import logging

_log = logging.getLogger(__name__)


@functools.cache
def warn_once(text: str) -> None:
    """Warn, unless this process has given the same warning before.

    Args:
      text: a line.
    """
    _log.warning("%s", text)
