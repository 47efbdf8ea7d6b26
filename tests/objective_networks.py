"""Plain networks and batches that serve every objective of the table."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from corpora_and_batches import DIMS, plain_apply, plain_params, toy_batch

from dann_jax.models.reversal import reverse_gradient
from dann_jax.objectives import OBJECTIVES
from dann_jax.objectives.stateful import from_outputs
from dann_jax.types import (
    UNKNOWN,
    Apply,
    Array,
    Batch,
    Outputs,
    PyTree,
    Scalar,
    StatefulObjective,
)

DOMAINS = {"speaker": 3, "gender": 2}
LABELS, WIDTH = 2, 4
OPTIONS: dict[str, dict] = {
    "soft_labels": {"target": 1},
    "labels_of": {"domains": (1,)},
}
"""Arguments that an objective cannot do without."""

KEY = jax.random.fold_in(jax.random.key(0), 0)
"""That of the first step of a state whose key is `key(0)`."""


def with_values(batch: Batch, seed: int = 0) -> Batch:
    """The batch with values to regress wherever it has a label."""
    drawn = np.random.default_rng(seed).normal(size=(*batch.label.shape, LABELS))
    drawn[batch.label == UNKNOWN] = np.nan
    return batch._replace(value=drawn.astype(np.float32))


BATCH = with_values(toy_batch(4, 6, domains=DOMAINS))


def game_params(key: jax.Array) -> PyTree:
    """`plain_params` with class-wise heads, a generator and its judge."""
    params = plain_params(key, width=WIDTH, labels=LABELS, domains=DOMAINS)
    sizes = {
        f"{name}_head_{label}": (WIDTH, count)
        for name, count in DOMAINS.items()
        for label in range(LABELS)
    }
    sizes |= {"generator": (WIDTH, DIMS["audio"]), "data_head": (DIMS["audio"],)}
    keys = jax.random.split(jax.random.fold_in(key, 1), len(sizes))
    return params | {
        name: jax.random.normal(k, size)
        for k, (name, size) in zip(keys, sizes.items(), strict=True)
    }


PARAMS = game_params(jax.random.key(0))


def game_apply(
    params: PyTree, batch: Any, strength: Mapping[str, Scalar], key: Array | None
) -> Outputs:
    """`plain_apply` without dropout, with a generator of the audio."""
    outputs = plain_apply(params, batch, strength, None)
    seen = reverse_gradient(outputs.features, -strength.get("generator", 0.0))
    made, original = seen @ params["generator"], batch.inputs["audio"]
    return outputs._replace(
        extra={
            "original": original,
            "generated": made,
            "real_logit": original @ params["data_head"],
            "generated_logit": made @ params["data_head"],
        }
    )


def class_wise_apply(
    params: PyTree, batch: Any, strength: Mapping[str, Scalar], key: Array | None
) -> Outputs:
    """The same with one discriminator for each class."""
    outputs = game_apply(params, batch, strength, key)
    logits = {
        name: jnp.stack(
            [
                reverse_gradient(outputs.features, strength[name])
                @ params[f"{name}_head_{label}"]
                for label in range(LABELS)
            ],
            -2,
        )
        for name in batch.domain
    }
    return outputs._replace(domain_logits=logits)


def network_of(name: str) -> Apply:
    """The plain network that the objective of this name needs."""
    return class_wise_apply if name == "class_wise_dann" else game_apply


def audio_only(batch: Batch) -> Batch:
    """What `game_apply` generates is audio; it must be all there is."""
    audio = {"audio": batch.inputs["audio"]}
    return batch._replace(inputs=audio, present={"audio": batch.present["audio"]})


def objective_of(name: str, **options: Any) -> StatefulObjective:
    return from_outputs(OBJECTIVES[name](**OPTIONS.get(name, {}) | options))


def state_of(objective: StatefulObjective, apply: Apply = game_apply) -> PyTree:
    """The first state of an objective."""
    strength = dict.fromkeys(DOMAINS, 0.0)
    return objective.init(jax.eval_shape(lambda: apply(PARAMS, BATCH, strength, None)))


def loss_of(objective: StatefulObjective, apply: Apply = game_apply) -> Callable:
    """`(params, batch, strength, state, key) -> loss, (metrics, state)`."""

    def loss(
        params: PyTree,
        batch: Batch,
        strength: Mapping[str, Scalar],
        state: PyTree,
        key: Array = KEY,
    ) -> tuple[Array, tuple[dict, PyTree]]:
        return objective.apply(apply, params, batch, strength, key, state)

    return loss


@cache
def gradient_of(name: str) -> Callable:
    """As `loss_of`, with the gradient after the loss, compiled."""
    loss = loss_of(objective_of(name), network_of(name))
    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def first_gradient(
    name: str,
    speaker: float,
    gender: float,
    *,
    params: PyTree = PARAMS,
    batch: Batch = BATCH,
) -> tuple[tuple[Array, tuple[dict, PyTree]], PyTree]:
    """Loss, metrics, state and gradient of a first step."""
    state = state_of(objective_of(name), network_of(name))
    strength = {"speaker": jnp.float32(speaker), "gender": jnp.float32(gender)}
    return gradient_of(name)(params, batch, strength, state)
