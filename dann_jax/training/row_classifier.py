"""A network over vectors, trained and applied in memory: arrays in, arrays out.

The trainer's network, batches and train step, for one replica without its dialogues.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from dann_jax.models.network import Dann, DialogueEncoder, as_apply, initialise
from dann_jax.objectives import dann
from dann_jax.tasks.plan import Plan
from dann_jax.training.loop import TrainingDiverged
from dann_jax.training.optimizer import make_optimizer
from dann_jax.training.schedules import ganin_strength
from dann_jax.training.state import TrainState, create_state
from dann_jax.training.step import make_evaluation_step, make_train_step
from dann_jax.types import UNKNOWN, Batch, Outputs, PyTree
from dann_jax.utils.arguments import Count, Rate, Weight, Width, call_checked

_ROWS_AT_ONCE = 256
"""Rows of a batch of `row_outputs`; always as many, so that it is compiled once."""


class RowNetwork(NamedTuple):
    """A network over vectors, hashable.

    Attributes:
      classes: to tell apart.
      domains: that the adversary tells apart; 0 for no adversary.
      width: of the features, and of the hidden layer of the domain head.
      dropout: rate before every layer.
    """

    classes: int
    domains: int
    width: Width
    dropout: Rate

    def module(self) -> Dann:
        """As a linen module."""
        return Dann(
            DialogueEncoder(self.width, context=False, dropout=self.dropout),
            num_labels=self.classes,
            num_domains={"domain": self.domains} if self.domains else {},
            domain_hidden=(self.width,),
            head_dropout=self.dropout,
        )


def train_rows(
    network: RowNetwork,
    rows: np.ndarray,
    label: np.ndarray,
    domain: np.ndarray,
    seed: int,
    *,
    strength: Weight,
    learning_rate: float,
    weight_decay: float,
    average_decay: Rate,
    epochs: Count,
    batch_size: Count,
) -> PyTree:
    """The moving average of the parameters after all epochs, NumPy arrays.

    Args:
      network: to train.
      rows: float `[n, dim]`, standardised.
      label: int `[n]`, `UNKNOWN` of an unlabelled row.
      domain: int `[n]`, `UNKNOWN` of a row that the adversary does not see.
      seed: of initial parameters, batches and dropout.
      strength: this and what follows as in `DANNClassifier`.
      learning_rate: at the start.
      weight_decay: decoupled.
      average_decay: of the moving average.
      epochs: through all rows.
      batch_size: rows of a step.

    Raises:
      TrainingDiverged: a parameter is not finite.
    """
    one_each, members = np.ones(len(rows), int), np.ones((1, len(rows)), bool)
    plan = Plan(one_each, members, batch_size, (1,))
    epoch_steps, dim = plan.steps_per_epoch, rows.shape[1]
    create, train_epoch = _compiled(
        network, dim, epoch_steps * epochs, learning_rate, weight_decay, average_decay
    )
    state = create(jax.random.key(seed))
    peak = {"domain": np.float32(strength)} if network.domains else {}
    for start in range(0, epoch_steps * epochs, epoch_steps):
        steps = range(start, start + epoch_steps)
        chosen = np.stack([plan.batch(step, 0, seed)[0] for step in steps])
        state = train_epoch(state, _batch(rows, label, domain, chosen), peak)
    params = jax.device_get(state.average)
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)):
        raise TrainingDiverged(
            f"a parameter is not finite after {epochs} epochs; try a lower "
            f"learning_rate or strength"
        )
    return params


def row_outputs(network: RowNetwork, params: PyTree, rows: np.ndarray) -> Outputs:
    """Features `[n, width]` and logits of the labels `[n, classes]` of `[n, dim]`."""
    unknown, parts = np.full(len(rows), UNKNOWN), []
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        chosen = np.arange(start, start + _ROWS_AT_ONCE)
        chosen[chosen >= len(rows)] = UNKNOWN
        batch = _batch(rows, unknown, unknown, chosen)
        # On the host, where nothing is compiled for another number of rows.
        features, logits = jax.device_get(_evaluate(network, params, batch))
        parts.append((features[chosen != UNKNOWN], logits[chosen != UNKNOWN]))
    features, logits = map(np.concatenate, zip(*parts, strict=True))
    return Outputs(features, logits, {})


def _batch(
    rows: np.ndarray, label: np.ndarray, domain: np.ndarray, chosen: np.ndarray
) -> Batch:
    """The `chosen` rows `[..., B]`, `UNKNOWN` for padding; each is a dialogue."""
    places = chosen[..., None].astype(np.int32)
    real = places != UNKNOWN
    return Batch(
        inputs={"x": np.where(real[..., None], rows[places], 0).astype(np.float32)},
        present={"x": real},
        visible=real,
        party=np.zeros_like(places),
        label=np.where(real, label[places], UNKNOWN).astype(np.int32),
        domain={"domain": np.where(real, domain[places], UNKNOWN).astype(np.int32)},
        row=places,
        num_frames={},
    )


@functools.lru_cache(maxsize=64, typed=True)
def _compiled(
    network: RowNetwork,
    dim: int,
    total_steps: int,
    learning_rate: float,
    weight_decay: float,
    average_decay: float,
) -> tuple[Callable[[jax.Array], TrainState], Callable[..., TrainState]]:
    """From a key to the first state, and `(state, batches, strength) -> state`.

    They are compiled once for all fits of these shapes, numbers of steps and options.
    """
    module = network.module()
    optimizer = call_checked(
        "",
        make_optimizer,
        total_steps=total_steps,
        learning_rate=learning_rate,
        schedule="cosine",
        weight_decay=weight_decay,
    )
    unknown = np.full(1, UNKNOWN)
    padding = _batch(np.zeros((1, dim)), unknown, unknown, unknown)

    def create(key: jax.Array) -> TrainState:
        init_key, run_key = jax.random.split(key)
        return create_state(initialise(module, padding, init_key), optimizer, run_key)

    train_step = make_train_step(
        apply=as_apply(module),
        objective=dann(),
        optimizer=optimizer,
        schedule=ganin_strength(total_steps),
        average_decay=average_decay,
    )

    def train_epoch(
        state: TrainState, batches: Batch, strength: Mapping[str, jax.Array]
    ) -> TrainState:
        def one(state: TrainState, batch: Batch) -> tuple[TrainState, None]:
            return train_step(state, batch, strength)[0], None

        # In one program: a call for each step takes longer than the step.
        return jax.lax.scan(one, state, batches)[0]

    return jax.jit(create), jax.jit(train_epoch, donate_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def _evaluate(
    network: RowNetwork, params: PyTree, batch: Batch
) -> tuple[jax.Array, jax.Array]:
    outputs = make_evaluation_step(apply=as_apply(network.module()))(params, batch)
    return outputs.features[:, 0], outputs.label_logits[:, 0]
