"""The calls that docs/architecture.md lists, as they are made."""

import pathlib
import traceback
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest

import dann_jax
from dann_jax.objectives import adversarial, labels, losses

PACKAGE = pathlib.Path(dann_jax.__file__).parent


class Batch(NamedTuple):
    x: jax.Array
    label: jax.Array
    domain: dict[str, jax.Array]


def network(params, batch, strength, key):
    hidden = dann_jax.reverse_gradient(batch.x, strength["speaker"])
    return dann_jax.Outputs(batch.x, batch.x, {"speaker": hidden @ params})


def functions_on_the_way() -> list[str]:
    """Functions of the package that are being called, `file:function`."""
    return [
        f"{pathlib.Path(frame.filename).relative_to(PACKAGE)}:{frame.name}"
        for frame in traceback.extract_stack()
        if pathlib.Path(frame.filename).is_relative_to(PACKAGE)
    ]


def test_a_step_reaches_the_cross_entropies_by_the_calls_of_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def watched(**arguments: Any) -> Any:
        seen.append(functions_on_the_way())
        return losses.cross_entropy(**arguments)

    monkeypatch.setattr(adversarial, "cross_entropy", watched)
    monkeypatch.setattr(labels, "cross_entropy", watched)
    optimizer = optax.sgd(0.1)
    step = dann_jax.make_train_step(
        apply=network,
        objective=dann_jax.dann(),
        optimizer=optimizer,
        schedule=lambda step: 1.0,
    )
    state = dann_jax.create_state(jnp.zeros((2, 3)), optimizer, jax.random.key(0))
    zeros = jnp.zeros(4, jnp.int32)
    batch = Batch(jnp.zeros((4, 2)), zeros, {"speaker": zeros})
    jax.eval_shape(step, state, batch, {"speaker": 0.3})

    to_the_objective = ["training/step.py:train_step", "training/step.py:loss_fn"]
    adversary = "objectives/adversarial.py:objective"
    source_only = "objectives/labels.py:objective"
    assert seen == [
        [*to_the_objective, adversary, source_only],
        [*to_the_objective, adversary],
    ]
