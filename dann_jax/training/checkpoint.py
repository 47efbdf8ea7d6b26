"""Checkpoints: the only user of orbax."""

import contextlib
import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from etils import epath
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from dann_jax.training.checkpoint_folders import (
    CheckpointError,
    complete_steps,
    newest_sound_step,
    require_usable,
)
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.state import TrainState
from dann_jax.utils.checksums import write_checksums
from dann_jax.utils.files import sync_tree
from dann_jax.utils.processes import by_first

if TYPE_CHECKING:
    import orbax.checkpoint as ocp

_STATE = "default"
_METRICS = "epoch"
"""The parts of a checkpoint: the state, and what an unfinished epoch has logged."""


class Checkpoints:
    """The last good states of a run, in `directory`, one folder a step.

    A checkpoint is written beside the others and renamed when it is whole, so a
    killed or failed write leaves the earlier ones as they were. Checksums of its files
    come last: without them it is not complete, and what no longer fits them is refused.

    Args:
      directory: of the checkpoints.
      keep: so many of the newest.
      data: digest of what the run learns from; a checkpoint of other data is refused.
        Empty where nobody asks.
    """

    def __init__(
        self, directory: epath.PathLike, *, keep: int = 2, data: str = ""
    ) -> None:
        self._directory, self._keep = epath.Path(directory).resolve(), keep
        self._data, self._checked = data, set[int]()

    @functools.cached_property
    def _manager(self) -> "ocp.CheckpointManager":
        # A new run has nothing to restore: its first step need not wait for orbax.
        import orbax.checkpoint as ocp

        return ocp.CheckpointManager(
            self._directory,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=self._keep, create=True, enable_async_checkpointing=False
            ),
            item_handlers={
                _STATE: ocp.StandardCheckpointHandler(),
                _METRICS: ocp.StandardCheckpointHandler(),
            },
        )

    def latest_step(self) -> int | None:
        """The step of the newest complete checkpoint, or None."""
        return next(reversed(complete_steps(self._directory)), None)

    def resume_step(self) -> int:
        """The step to go on from, 0 if there is none: the newest that is not damaged.

        What is damaged, or was never finished, is removed.

        Raises:
          CheckpointError: all checkpoints are damaged, or they are of other data.
        """
        step = by_first(
            lambda: newest_sound_step(self._directory),
            CheckpointError,
            f"the first process cannot go on from {self._directory}",
        )
        self._checked.add(step)
        return step

    def save(
        self,
        step: int,
        state: TrainState,
        metrics: Sequence[Mapping[str, np.ndarray]] = (),
    ) -> None:
        """Write `state`; raise `OSError` with advice if there is no room for it.

        Args:
          step: that it is after.
          state: of all replicas, fillers included.
          metrics: of the steps of an epoch that is not over, `[groups, arms]` each.
        """
        import orbax.checkpoint as ocp

        if self.latest_step() == step:
            return
        parts = {_STATE: ocp.args.StandardSave(_stored(state))}
        if metrics:
            steps = jax.tree.map(lambda *values: np.stack(values), *metrics)
            parts[_METRICS] = ocp.args.StandardSave(steps)
        try:
            with _without_traces():
                self._manager.save(
                    step,
                    args=ocp.args.Composite(**parts),
                    custom_metadata={"checksums": True, "data": self._data},
                )
            if jax.process_index() == 0:
                sync_tree(self._directory / str(step))
                write_checksums(self._directory / str(step))
        except Exception as error:
            # Tensorstore reports a full disk as ValueError, the file system as OSError.
            full, last = "No space left on device", self.latest_step()
            # In a few words where it is the usual one: it tells of every layer.
            reason = full if full in str(error) else error
            earlier = (
                "There is no earlier one"
                if last is None
                else f"The checkpoint of step {last} is whole"
            )
            raise OSError(
                f"could not write the checkpoint of step {step} to "
                f"{self._directory}: {reason}. {earlier}; make room "
                f"and run the same command again to go on from there"
            ) from error

    def restore(self, step: int, like: TrainState, layout: ReplicaLayout) -> TrainState:
        """The state of `step`, placed as the layout says on whatever devices it has.

        It may have been saved on more devices or fewer: fillers are left behind, and
        made again where the groups do not divide among the devices.

        Args:
          step: of the checkpoint.
          like: a state of the same replicas.
          layout: of the replicas, now.

        Raises:
          ValueError: the checkpoint is damaged, of other data, of fewer replicas, or of
            other shapes.
        """
        import orbax.checkpoint as ocp

        folder = self._directory / str(step)
        require_usable(folder, self._data, checked=step in self._checked)
        wanted = _stored(like)
        found = self._manager.item_metadata(step)[_STATE]
        groups = found["step"].shape[0]
        if groups < layout.num_groups:
            raise ValueError(
                f"{folder} is of {groups} pairs of fold and seed, this run of "
                f"{layout.num_groups}: it belongs to another experiment"
            )
        everywhere = NamedSharding(layout.mesh, P())

        def on_disk(leaf: jax.Array) -> Any:
            shape = (groups, *leaf.shape[1:])
            if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
                return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=everywhere)
            return np.broadcast_to(np.zeros((), leaf.dtype), shape)

        args = ocp.args.StandardRestore(jax.tree.map(on_disk, wanted))
        read = self._manager.restore(step, args=ocp.args.Composite(**{_STATE: args}))
        _require_shapes(folder, read[_STATE], wanted)

        def of_layout(leaf: Any) -> Any:
            # Keys are read onto all devices; a process needs no more than its copy.
            here = leaf.addressable_data(0) if isinstance(leaf, jax.Array) else leaf
            # Fillers repeat the first groups.
            return here[layout.reported_group_of]

        own = jax.tree.map(of_layout, read[_STATE])
        return like.replace(**layout.put(own))

    def metrics(self, step: int, layout: ReplicaLayout) -> list[dict[str, np.ndarray]]:
        """What was logged of the epoch that was not over at `step`, one a step.

        Of the groups of this process, as the layout says.
        """
        if not (self._directory / str(step) / _METRICS).exists():
            return []
        import orbax.checkpoint as ocp

        args = ocp.args.StandardRestore()
        read = self._manager.restore(step, args=ocp.args.Composite(**{_METRICS: args}))
        steps = read[_METRICS]
        local = layout.reported_group_of[layout.local_groups]
        count = len(next(iter(steps.values())))
        return [
            {name: values[k, local] for name, values in steps.items()}
            for k in range(count)
        ]

    def close(self) -> None:
        if "_manager" in vars(self):
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


def _stored(state: TrainState) -> dict[str, Any]:
    """What there is to store: an objective without a state has no place on disk.

    So checkpoints from before there were such states can be restored.
    """
    parts = {field.name: getattr(state, field.name) for field in fields(state)}
    return {name: part for name, part in parts.items() if jax.tree.leaves(part)}


def _require_shapes(folder: epath.Path, saved: Any, wanted: Any) -> None:
    """Raise `ValueError` unless all but the groups are as they should be."""
    pairs = zip(jax.tree.leaves(saved), jax.tree.leaves_with_path(wanted), strict=True)
    for leaf, (path, like) in pairs:
        if leaf.shape[1:] != like.shape[1:]:
            raise ValueError(
                f"{folder} belongs to another network: {jax.tree_util.keystr(path)} "
                f"has the shape {leaf.shape[2:]} there and {like.shape[2:]} here"
            )


@contextlib.contextmanager
def open_checkpoints(
    directory: epath.PathLike, *, keep: int = 2, data: str = ""
) -> Iterator[Checkpoints]:
    """`Checkpoints`, closed at the end."""
    checkpoints = Checkpoints(directory, keep=keep, data=data)
    try:
        yield checkpoints
    finally:
        checkpoints.close()
