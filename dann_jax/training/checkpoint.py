"""Checkpoints: the only user of orbax."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath

from dann_jax.training.state import TrainState


class Checkpoints:
    """The last good states of a run, in `directory`, one folder a step.

    A checkpoint is written beside the others and renamed when it is whole, so a
    killed or failed write leaves the earlier ones as they were.
    """

    def __init__(self, directory: epath.PathLike, *, keep: int = 2) -> None:
        self._manager = ocp.CheckpointManager(
            epath.Path(directory).resolve(),
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep, create=True, enable_async_checkpointing=False
            ),
        )

    def latest_step(self) -> int | None:
        """The step of the newest whole checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, step: int, state: TrainState) -> None:
        """Write `state`; raise `OSError` with advice if there is no room for it."""
        if self._manager.latest_step() == step:
            return
        try:
            with _without_traces():
                self._manager.save(step, args=ocp.args.StandardSave(_stored(state)))
        except Exception as error:
            # Tensorstore reports a full disk as ValueError, the file system as OSError.
            last = self.latest_step()
            earlier = (
                "There is no earlier one"
                if last is None
                else f"The checkpoint of step {last} is whole"
            )
            raise OSError(
                f"could not write the checkpoint of step {step} to "
                f"{self._manager.directory}: {_reason(error)}. {earlier}; make room "
                f"and run the same command again to go on from there"
            ) from error

    def restore(self, step: int, like: TrainState) -> TrainState:
        """The state of `step`, placed on devices as `like` is."""
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, _stored(like))
        found = self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        return like.replace(**found)

    def close(self) -> None:
        self._manager.close()


@contextlib.contextmanager
def _without_traces() -> Iterator[None]:
    """Drop what orbax logs: its threads tell of an error that is raised as well."""

    def from_elsewhere(record: logging.LogRecord) -> bool:
        return "orbax" not in record.pathname

    logger = logging.getLogger("absl")
    logger.addFilter(from_elsewhere)
    try:
        yield
    finally:
        logger.removeFilter(from_elsewhere)


def _reason(error: Exception) -> str:
    """In a few words where it is the usual one; tensorstore tells of every layer."""
    full = "No space left on device"
    return full if full in str(error) else str(error)


def _stored(state: TrainState) -> dict[str, Any]:
    """What there is to store: an objective without a state has no place on disk.

    So checkpoints from before there were such states can be restored.
    """
    parts = {field.name: getattr(state, field.name) for field in fields(state)}
    return {name: part for name, part in parts.items() if jax.tree.leaves(part)}


@contextlib.contextmanager
def open_checkpoints(
    directory: epath.PathLike, *, keep: int = 2
) -> Iterator[Checkpoints]:
    """`Checkpoints`, closed at the end."""
    checkpoints = Checkpoints(directory, keep=keep)
    try:
        yield checkpoints
    finally:
        checkpoints.close()
