"""What every command says to the person who runs it."""

import contextlib
import logging
import sys
from collections.abc import Iterator

from absl import app
from absl import logging as absl_logging

from dann_jax.training.loop import TrainingDiverged


def start_logging() -> None:
    """This package's messages on standard error; of other packages, warnings only."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    own = logging.getLogger("dann_jax")
    own.setLevel(logging.INFO)
    own.propagate = False
    own.handlers = [handler]


@contextlib.contextmanager
def exit_on_unknown_key() -> Iterator[None]:
    """Turn ml_collections's error about a key that a config lacks into one line."""
    try:
        yield
    except (AttributeError, KeyError) as error:
        reason: object = error
        # One error is wrapped in the other, and the message has two lines.
        while isinstance(reason, Exception):
            reason = reason.args[0]
        sys.exit(f"error: the config has no key {' '.join(str(reason).split())}")


def parse_flags(arguments: list[str]) -> list[str]:
    """As absl does; for `app.run`."""
    with exit_on_unknown_key():
        return app.parse_flags_with_usage(arguments)


@contextlib.contextmanager
def exit_with_message(
    interrupted: str = "interrupted; the same command goes on from the last checkpoint",
) -> Iterator[None]:
    """Turn an error that the user can mend into one line and exit code 1.

    Anything else is a fault of this program and keeps its traceback.
    """
    try:
        yield
    except (ValueError, OSError, TrainingDiverged) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(interrupted)
