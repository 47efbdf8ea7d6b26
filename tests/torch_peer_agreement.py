"""The PyTorch peer computes what the main system computes: outputs, loss, gradients.

`test_torch.py` runs this in a process of its own, because PyTorch and TensorFlow do not
bear each other.
"""

import argparse
import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
import pytest
import torch
from corpora_and_batches import network_params, toy_batch
from runs import tiny_config, tiny_corpus, write_table

from benchmarks import torch_peer
from benchmarks.contestants import world_of
from benchmarks.speed import MODES
from dann_jax.models.network import Dann, DialogueEncoder, as_apply
from dann_jax.objectives import dann
from dann_jax.training.optimizer import make_optimizer
from dann_jax.types import UNKNOWN, Batch, Outputs, PyTree

WIDTH, HEADS, STRENGTH = 12, 4, 0.3


def padded_batch() -> Batch:
    """Dialogues of 7, 4, 1 and no turns; some turns lack a modality or both."""
    batch = toy_batch(dialogues=4, turns=7)
    lengths = np.array([7, 4, 1, 0])
    visible = np.arange(7) < lengths[:, None]
    rng = np.random.default_rng(5)
    return batch._replace(
        visible=visible,
        present={name: rng.random((4, 7)) > 0.3 for name in batch.present},
        label=np.where(visible, batch.label, UNKNOWN),
        domain={
            name: np.where(visible, x, UNKNOWN) for name, x in batch.domain.items()
        },
    )


class System(NamedTuple):
    """The main system, its parameters, and what is compiled once for all tests.

    Attributes:
      params: drawn at random.
      batch: from `padded_batch`.
      compute: parameters -> ((loss, outputs), gradient).
    """

    params: PyTree
    batch: Batch
    compute: Callable[[PyTree], tuple]


@functools.cache
def system(own_heads: int, own_turns: bool = True) -> System:
    encoder = DialogueEncoder(
        width=WIDTH, heads=HEADS, own_heads=own_heads, own_turns=own_turns, dropout=0.0
    )
    module = Dann(
        encoder,
        num_labels=2,
        num_domains={"speaker": 3},
        domain_hidden=(5,),
        head_dropout=0.0,
    )
    batch, strength = padded_batch(), {"speaker": STRENGTH}

    def loss(params: PyTree) -> tuple[jax.Array, Outputs]:
        outputs = as_apply(module)(params, batch, strength, None)
        return dann()(outputs, batch, strength)[0], outputs

    compute = jax.jit(jax.value_and_grad(loss, has_aux=True))
    return System(network_params(module, batch), batch, compute)


def peer_of(params: PyTree, own_heads: int) -> Any:
    sizes = torch_peer.sizes_of(
        params, own_heads=own_heads, dropout=0.0, head_dropout=0.0
    )
    peer = torch_peer.TorchPeer(sizes)
    torch_peer.load_parameters(peer, params)
    return peer


@pytest.mark.parametrize(("own_heads", "own_turns"), [(0, False), (2, True), (4, True)])
def test_outputs_agree_on_visible_turns(own_heads: int, own_turns: bool) -> None:
    params, batch, compute = system(own_heads, own_turns)
    (_, ours), _ = compute(params)
    with torch.no_grad():
        label, domain = peer_of(params, own_heads)(torch_peer.to_torch(batch))
    for mine, theirs in (
        (ours.label_logits, label),
        (ours.domain_logits["speaker"], domain),
    ):
        np.testing.assert_allclose(
            theirs.numpy()[batch.visible], mine[batch.visible], atol=1e-5
        )


@pytest.mark.parametrize(("own_heads", "own_turns"), [(0, False), (2, True)])
def test_the_loss_and_its_gradients_agree(own_heads: int, own_turns: bool) -> None:
    params, batch, compute = system(own_heads, own_turns)
    (value, _), gradient = compute(params)
    peer, tensors = peer_of(params, own_heads), torch_peer.to_torch(batch)
    loss = torch_peer.loss_of(*peer(tensors, STRENGTH), tensors)
    loss.backward()
    np.testing.assert_allclose(loss.item(), value, atol=1e-5)
    expected = torch_peer.as_state_dict(gradient)
    for name, parameter in peer.named_parameters():
        found, wanted = parameter.grad.numpy(), expected[name]
        if "bias_hh" in name:
            # The gates' second biases are the peer's own.
            found, wanted = found[2 * WIDTH :], wanted[2 * WIDTH :]
        np.testing.assert_allclose(found, wanted, atol=1e-4, err_msg=name)


def test_steps_of_the_optimisers_agree() -> None:
    params, batch, compute = system(2)
    settings = {"learning_rate": 1e-2, "weight_decay": 0.1, "total_steps": 4}
    peer, tensors = peer_of(params, 2), torch_peer.to_torch(batch)
    step = torch_peer.make_step(peer, average_decay=0.9, **settings)
    optimizer = make_optimizer(schedule="cosine", **settings)
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for _ in range(3):
        (value, _), gradient = compute(params)
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(step(tensors, STRENGTH).item(), value, atol=1e-4)
        for gru in (part for part in peer.modules() if isinstance(part, torch.nn.GRU)):
            # Ours has no second biases of the gates to train.
            gru.bias_hh_l0.data[: 2 * WIDTH] = 0.0
    weight = peer.state_dict()["label_head.1.weight"].numpy()
    expected = torch_peer.as_state_dict(params)["label_head.1.weight"]
    np.testing.assert_allclose(weight, expected, atol=1e-4)


def test_every_parameter_of_the_network_is_copied() -> None:
    params = system(2).params
    copied = torch_peer.as_state_dict(params)
    gates = 4 * 2 * WIDTH
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert sum(array.size for array in copied.values()) == count + gates


def test_a_dialogue_drops_the_same_features_in_every_turn() -> None:
    torch.manual_seed(0)
    dropped = torch_peer.TurnDropout(0.5).train()(torch.ones(3, 4, 50))
    assert (dropped == dropped[:, :1]).all()
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert (dropped[0, 0] != dropped[1, 0]).any()


def test_turns_hidden_within_a_dialogue_are_refused() -> None:
    batch = padded_batch()
    batch.visible[0, 1] = False
    with pytest.raises(ValueError, match="visible turns come first"):
        torch_peer.to_torch(batch)


def test_the_race_compiles_nothing_while_the_clock_runs(tmp_path: pathlib.Path) -> None:
    # The peer cannot pass over turns that are hidden within a dialogue.
    changes = {"protocol.unlabelled": ("other", "test"), "batches.num_buckets": 1}
    table = write_table(tmp_path, tiny_corpus())
    world = world_of(tiny_config(table, changes | {"encoder.dropout": 0.0}))
    options = argparse.Namespace(steps=1, rounds=1, threads="1", replicas="1,2")
    measured = MODES["experiment"](world, options)
    assert all(len(row) == len(measured["header"]) for row in measured["rows"])
    assert all(entry["late_compilations"] == 0 for entry in measured["timed"])
    assert len(measured["ratios"]) == 2
    for found in measured["ratios"].values():
        assert 0 < found["min"] <= found["median"] <= found["max"]
