"""What every command says to the person who runs it."""

import contextlib
import logging
import sys
from collections.abc import Iterator

from absl import logging as absl_logging


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
def exit_with_message(
    interrupted: str = "interrupted; the same command goes on from the last checkpoint",
) -> Iterator[None]:
    """Turn an error that the user can mend into one line and exit code 1.

    Anything else is a fault of this program and keeps its traceback.
    """
    from dann_jax.training.loop import TrainingDiverged

    try:
        yield
    except (ValueError, OSError, TrainingDiverged) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(interrupted)
