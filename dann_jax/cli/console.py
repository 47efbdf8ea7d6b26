"""What every command says to the person who runs it."""

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

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

    After a signal the exit code is 128 and its number, as a shell would say it.
    Anything else is a fault of this program and keeps its traceback.
    """
    from jax.errors import JaxRuntimeError

    from dann_jax.training.interruption import Interrupted
    from dann_jax.training.loop import TrainingDiverged

    try:
        yield
    except (ValueError, OSError, TrainingDiverged) as error:
        sys.exit(f"error: {_said(error)}")
    except KeyError as error:
        # From `epath`, of http:// and the like.
        if not str(error.args[0]).endswith("://"):
            raise
        sys.exit(f"error: files at {error.args[0]} cannot be read or written here")
    except (MemoryError, JaxRuntimeError) as error:
        said = " ".join(str(error).split())
        if isinstance(error, JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in said:
            raise
        sys.exit(
            f"error: not enough memory ({said[:200]}); a smaller batches.batch_size, "
            f"encoder.width or seeds needs less"
        )
    except Interrupted as stopped:
        _exit(f"{stopped}; the same command goes on from there", stopped.number)
    except KeyboardInterrupt:
        _exit(interrupted, signal.SIGINT)
    except Exception as error:
        # Through it files of a bucket are read.
        if not type(error).__module__.startswith("tensorflow."):
            raise
        sys.exit(f"error: {_said(error)}")


def _said(error: Exception) -> str:
    """What the system says of a file, without its number; else the message."""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    return " ".join(str(error).split())


def _exit(message: str, number: signal.Signals) -> NoReturn:
    """End as a shell says that a signal did."""
    print(message, file=sys.stderr)
    sys.exit(128 + number)
