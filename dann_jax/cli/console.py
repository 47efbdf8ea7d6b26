"""Messages, warnings and errors of every command."""

import contextlib
import logging
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from absl import logging as absl_logging

from dann_jax.utils.words import shortened


def start_logging() -> None:
    """This package's messages on standard error; of other packages, warnings only."""
    absl_logging.set_verbosity(absl_logging.WARNING)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("dann_jax")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers = [handler]


@contextlib.contextmanager
def exit_with_message(
    interrupted: str = "interrupted; the same command goes on from the last checkpoint",
    *,
    writes_to: object = None,
) -> Iterator[None]:
    """Turn an error that the user can mend into one line and exit code 1.

    After a signal the exit code is 128 and its number, as a shell would say it.
    Anything else is a fault of this program and keeps its traceback.

    Args:
      interrupted: what Ctrl-C is answered by.
      writes_to: where the command writes, for errors of the system that name no file,
        as one of a full disk does.
    """
    from jax.errors import JaxRuntimeError

    from dann_jax.training.interruption import Interrupted
    from dann_jax.training.loop import TrainingDiverged

    try:
        yield
    except (ValueError, OSError, TrainingDiverged) as error:
        sys.exit(f"error: {_said(error, writes_to)}")
    except RecursionError:
        sys.exit(
            "error: something that was read is nested too deeply (JSON of more than a "
            "hundred levels?); it is not what this command writes"
        )
    except KeyError as error:
        # From `epath`, of http:// and the like.
        if not str(error.args[0]).endswith("://"):
            raise
        sys.exit(f"error: files at {error.args[0]} cannot be read or written here")
    except (MemoryError, JaxRuntimeError) as error:
        message = shortened(str(error))
        if isinstance(error, JaxRuntimeError) and "RESOURCE_EXHAUSTED" not in message:
            raise
        sys.exit(
            f"error: not enough memory ({message[:200]}); a smaller "
            f"batches.batch_size, encoder.width or seeds needs less"
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


def _said(error: Exception, writes_to: object = None) -> str:
    """The system's message on a file, without its error number; else the message."""
    if isinstance(error, OSError) and error.strerror:
        location = error.filename or (writes_to and f"while writing to {writes_to}")
        return shortened(f"{error.strerror}{f': {location}' if location else ''}")
    return shortened(str(error))


def _exit(message: str, number: signal.Signals) -> NoReturn:
    """End as a shell says that a signal did."""
    print(message, file=sys.stderr)
    sys.exit(128 + number)
