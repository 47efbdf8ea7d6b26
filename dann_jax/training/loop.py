"""The loop: steps, validation, selection, checkpoints, and going on after a stop."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from dann_jax.training.checkpoint import Checkpoints
from dann_jax.training.chunks import Chunk
from dann_jax.training.diagnostics import require_label_loss
from dann_jax.training.interruption import Interrupted, stop_requests
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.training.state import TrainState
from dann_jax.training.timetable import Timetable
from dann_jax.training.writer import MetricWriter
from dann_jax.types import Array, PyTree
from dann_jax.utils.progress import Progress

_log = logging.getLogger(__name__)


class TrainingDiverged(RuntimeError):
    """A loss or parameter is not finite; the message names the replica and step."""


def fit(
    state: TrainState,
    *,
    start: int,
    timetable: Timetable,
    layout: ReplicaLayout,
    chunks: Callable[[int, int], Iterator[Chunk]],
    train_steps: Callable,
    validate: Callable[[TrainState], tuple[TrainState, Mapping[str, float]]],
    gradients: Callable[[TrainState], Mapping[str, Array]],
    checkpoints: Checkpoints,
    writer: MetricWriter,
) -> TrainState:
    """Train all replicas from wherever `state` stands to the last epoch.

    With `patience` it ends earlier, where validations no longer rise. SIGTERM or Ctrl-C
    ends it after the chunk that is under way, whose state is saved.

    Args:
      state: `[groups, arms]`, on the mesh.
      start: steps that it has taken. To ask the state itself would be to wait for it.
      timetable: how long, and how often what.
      layout: of the replicas.
      chunks: `(start, stop)` steps -> their batches, none of two epochs together.
      train_steps: of a chunk, mapped over replicas, donating its state.
      validate: scores the state; returns it with what is better in `best`, and what
        to log: see `Selector.validate`.
      gradients: what else to log of the state, `[groups, arms]`; changes nothing.
      checkpoints: where the state is saved.
      writer: where metrics go.

    Raises:
      ValueError: the objective logs no `loss/label`.
      TrainingDiverged: a loss or, where a checkpoint is due, a parameter is NaN or
        infinite. The checkpoints before it stay.
      Interrupted: a signal asked to stop, and the state is saved.
    """
    if timetable.patience and timetable.patience_ends(start, best_step(state, layout)):
        # An earlier call has stopped there.
        return state
    strength = layout.put(layout.peak_strength())
    total = timetable.steps_per_epoch * timetable.epochs
    step, previous, sums = start, None, checkpoints.metrics(start, layout)
    with (
        Progress("compiling", total=total, unit="step", done=start) as progress,
        stop_requests() as requested,
        _advice(checkpoints),
    ):
        for batches, count in chunks(start, total):
            counts = layout.put(np.full(len(layout.fold_of), count, np.int32))
            state, metrics = train_steps(state, batches, counts, strength)
            require_label_loss(metrics)
            # Looking one chunk back leaves the device busy with this one.
            if previous is not None:
                sums += _checked(*previous, step, layout)
            previous, step = (metrics, count), step + count
            epoch, inside = divmod(step, timetable.steps_per_epoch)
            if not inside:
                sums += _checked(*previous, step, layout)
                sums = _of_all(sums, step, layout)
                logged, previous, sums = epoch_means(sums, layout), None, []
                if timetable.due(timetable.gradients_every, epoch):
                    gradient_metrics = layout.get(gradients(state))
                    logged |= epoch_means([gradient_metrics], layout)
                if timetable.due(timetable.evaluate_every, epoch):
                    state, scores = validate(state)
                    logged |= scores
                writer.write(step, {"epoch": epoch, **logged})
                progress.note(f"epoch {epoch}, {_summary(logged, layout)}")
            progress.update(count)
            progress.now("training")
            stop_signal = requested(step)
            if stop_signal and inside:
                sums += _checked(metrics, count, step, layout)
            due = timetable.due(timetable.checkpoint_every, epoch) and not inside
            # Without patience nothing waits for the device.
            waits = timetable.patience and not inside
            over = waits and timetable.patience_ends(step, best_step(state, layout))
            if stop_signal or due or over:
                # A finite loss may have had a gradient that is not.
                finite = layout.get(_finite_replicas(state.params))
                _require_finite("parameter", finite, step, layout)
                checkpoints.save(step, state, _of_all(sums, step, layout))
            if stop_signal:
                raise Interrupted(stop_signal, step)
            if over:
                _log.info(
                    "stopped after epoch %d: no replica was better in the last %d "
                    "validations",
                    *(epoch, timetable.patience),
                )
                break
    return state


def best_step(state: TrainState, layout: ReplicaLayout) -> np.ndarray:
    """The step that each replica keeps, int32 `[groups, arms]`."""
    return np.asarray(layout.get(state.best_step))


@contextlib.contextmanager
def _advice(checkpoints: Checkpoints) -> Iterator[None]:
    """Say of a run that diverged what is left of it, and what may help."""
    try:
        yield
    except TrainingDiverged as error:
        last = checkpoints.latest_step()
        left = (
            "There is no checkpoint yet"
            if last is None
            else f"The checkpoint of step {last} is from before it"
        )
        raise TrainingDiverged(
            f"{error}. {left}; try a lower learning rate or strength, or clip_norm, "
            f"with another --workdir"
        ) from None


def _checked(
    metrics: Mapping, count: int, last: int, layout: ReplicaLayout
) -> list[dict[str, np.ndarray]]:
    """Metrics of this process's groups, once their loss is known to be finite.

    Args:
      metrics: of a chunk, `[groups, arms, length]`.
      count: steps in it.
      last: the last one of them.
      layout: of the replicas.
    """
    values = layout.get_local(metrics)
    steps = [{name: v[:, :, k] for name, v in values.items()} for k in range(count)]
    # Of several processes none may stop alone: they look when all can see.
    if jax.process_count() == 1:
        for step, own in enumerate(steps, start=last - count + 1):
            _require_finite("loss", np.isfinite(own["loss"]), step, layout)
    return steps


def _of_all(
    steps: list[dict[str, np.ndarray]], last: int, layout: ReplicaLayout
) -> list[dict[str, np.ndarray]]:
    """Metrics of all groups from those of this process's, of the steps up to `last`."""
    if jax.process_count() == 1 or not steps:
        return steps
    stacked = jax.tree.map(lambda *values: np.stack(values, 2), *steps)
    stacked = layout.get(layout.put(stacked))
    shared = [
        {name: values[:, :, k] for name, values in stacked.items()}
        for k in range(len(steps))
    ]
    for step, values in enumerate(shared, start=last - len(steps) + 1):
        _require_finite("loss", np.isfinite(values["loss"]), step, layout)
    return shared


@jax.jit
def _finite_replicas(values: PyTree) -> Array:
    """Which replicas have only finite values, bool `[groups, arms]`."""
    finite = [
        jnp.isfinite(leaf).reshape(*leaf.shape[:2], -1).all(-1)
        for leaf in jax.tree.leaves(values)
    ]
    return jnp.all(jnp.stack(finite), axis=0)


def _require_finite(what: str, finite: Array, step: int, layout: ReplicaLayout) -> None:
    """Raise `TrainingDiverged` unless all replicas `[groups, arms]` are finite."""
    bad = np.argwhere(~np.asarray(finite))
    if len(bad):
        raise TrainingDiverged(
            f"a {what} is not finite at step {step} for {layout.name(*bad[0])} "
            f"({len(bad)} of {finite.size} replicas)"
        )


def epoch_means(
    values: Sequence[Mapping[str, np.ndarray]], layout: ReplicaLayout
) -> dict[str, float]:
    """`ARM/NAME` and `ARM/NAME/std` of metrics `[groups, arms]` of an epoch's steps.

    The mean of the steps of each replica; then over an arm's replicas the mean and the
    standard deviation.
    """
    logged = {}
    for index, arm in enumerate(layout.arms):
        for name in values[0]:
            of_replicas = np.stack(
                [step[name][: layout.num_groups, index] for step in values]
            )
            logged[f"{arm}/{name}"] = float(np.mean(of_replicas))
            logged[f"{arm}/{name}/std"] = float(
                np.std(of_replicas.mean(0, dtype=np.float64))
            )
    return logged


def _summary(logged: Mapping[str, float], layout: ReplicaLayout) -> str:
    losses = [f"{arm} {logged[f'{arm}/loss/label']:.3f}" for arm in layout.arms]
    strengths = [
        value
        for name, value in logged.items()
        if "/strength/" in name and not name.endswith("/std")
    ]
    return f"loss of {', '.join(losses)}, strength {max(strengths, default=0):.2f}"
