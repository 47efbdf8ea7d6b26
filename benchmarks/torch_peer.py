"""The main system's train step in PyTorch, as a good PyTorch user would write it.

The peer that `speed.py` measures against: the layers and sizes of `models.network.Dann`
around a `DialogueEncoder` with context and one adversary, the same loss, the same
optimiser, the same average of the parameters. It uses what PyTorch is fast with:
`nn.GRU`, one projection for queries, keys and values, fused attention, and optimisers
that update all parameters in one call. The two directions are two GRUs, the second on
dialogues turned round: on CPU that takes little more than half the time of a
bidirectional one on packed sequences. Each speaker's own turns are cut out and padded
to the most that a speaker has, so that their GRUs take half as many steps.

    peer = TorchPeer(sizes_of(params))
    load_parameters(peer, params)

Parameters are those of JAX with two differences that change no output: queries, keys
and values share one matrix, and `nn.GRU` has biases of the reset and update gates
twice; the copy sets the second ones to zero.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.optim import swa_utils

from dann_jax.types import UNKNOWN, Batch, PyTree

TorchBatch = dict[str, torch.Tensor]
"""The fields of one group's `Batch`; each modality is a field of its own."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of the network. `own_heads` and the dropout rates cannot be read off arrays."""

    inputs: Mapping[str, int]
    width: int
    heads: int
    labels: int
    domains: int
    domain_hidden: int
    own_turns: bool
    own_heads: int = 2
    dropout: float = 0.3
    head_dropout: float = 0.3


def sizes_of(params: PyTree, adversary: str = "speaker", **others: Any) -> Sizes:
    """The sizes of a `Dann`'s parameters; `others` are those that they do not show."""
    encoder, domain = params["encoder"], params[f"{adversary}_head"]
    fusion = encoder["fusion"]
    return Sizes(
        inputs={
            name.removeprefix("project_"): layer["kernel"].shape[0]
            for name, layer in sorted(fusion.items())
            if name.startswith("project_")
        },
        width=fusion["score"]["kernel"].shape[0],
        heads=encoder["context"]["attention"]["query"]["kernel"].shape[1],
        labels=params["label_head"]["Dense_0"]["bias"].shape[0],
        domain_hidden=domain["Dense_0"]["bias"].shape[0],
        domains=domain["Dense_1"]["bias"].shape[0],
        own_turns=encoder["context"]["gru"]["recurrent"].shape[0] > 2,
        **others,
    )


def to_torch(batch: Batch, adversary: str = "speaker") -> TorchBatch:
    """A batch without a group axis as tensors.

    Raises:
      ValueError: an invisible turn comes before a visible one; `nn.GRU` cannot pass
        over it.
    """
    visible = np.asarray(batch.visible)
    if (visible[:, 1:] > visible[:, :-1]).any():
        raise ValueError("the peer needs dialogues whose visible turns come first")
    present = {name: flags & visible for name, flags in batch.present.items()}
    arrays = {
        **{f"input/{name}": values for name, values in batch.inputs.items()},
        **{f"present/{name}": flags for name, flags in present.items()},
        "visible": visible,
        "party": batch.party,
        "label": batch.label.astype(np.int64),
        "domain": batch.domain[adversary].astype(np.int64),
        "turned": _turned(visible),
        **_own_turns(visible, np.asarray(batch.party)),
    }
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def _turned(visible: np.ndarray) -> np.ndarray:
    """Places `[B, T, 1]` of the turns in reverse order, padding where it was."""
    length, place = visible.sum(1, keepdims=True), np.arange(visible.shape[1])
    return np.where(place < length, length - 1 - place, place)[..., None]


def _own_turns(visible: np.ndarray, party: np.ndarray) -> dict[str, np.ndarray]:
    """Each speaker's turns as a row of their own, and the way back.

    Returns:
      `own`, places in the flat turns `[rows, most turns]`, `own_turned`, as `_turned`
      of them, and `own_back`, the place in the flat `own` of every turn `[B, T]`.
    """
    turns = visible.shape[1]
    parties = int(party.max(initial=0)) + 1
    speaks = visible[:, None] & (party[:, None] == np.arange(parties)[:, None])
    speaks = speaks.reshape(-1, turns)
    most = max(int(speaks.sum(1).max()), 1)
    # A stable sort puts a speaker's turns first, in their order.
    order = np.argsort(~speaks, axis=1, kind="stable")[:, :most]
    heard = np.take_along_axis(speaks, order, 1)
    first = turns * (np.arange(len(speaks)) // parties)[:, None]
    back = np.zeros(visible.size, np.int64)
    back[(first + order)[heard]] = np.flatnonzero(heard)
    return {
        "own": first + order,
        "own_turned": _turned(heard),
        "own_back": back.reshape(visible.shape),
    }


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, strength: float) -> torch.Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient.neg() * ctx.strength, None


class TurnDropout(nn.Dropout):
    """One mask for all turns of a dialogue, `[B, T, D]`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.p:
            return x
        return x * functional.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), self.p)


class Fusion(nn.Module):
    """As `models.fusion.AttentionFusion`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.project = nn.ModuleDict(
            {name: nn.Linear(dim, sizes.width) for name, dim in sizes.inputs.items()}
        )
        self.score = nn.Linear(sizes.width, 1, bias=False)
        self.drop = TurnDropout(sizes.dropout)

    def forward(self, batch: TorchBatch) -> torch.Tensor:
        projected = torch.stack(
            [
                layer(self.drop(batch[f"input/{name}"]))
                for name, layer in self.project.items()
            ],
            dim=-2,
        )
        absent = ~torch.stack([batch[f"present/{name}"] for name in self.project], -1)
        scores = self.score(torch.tanh(projected)).squeeze(-1)
        # A finite floor: an utterance with nothing at all would otherwise be NaN.
        floor = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(absent, floor).softmax(-1)
        weights = weights.masked_fill(absent, 0.0).unsqueeze(-2)
        return self.drop((weights @ projected).squeeze(-2))


class Context(nn.Module):
    """As `models.context.DialogueContext`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.width
        self.heads, self.own_heads = sizes.heads, sizes.own_heads
        self.forwards = nn.GRU(width, width, batch_first=True)
        self.backwards = nn.GRU(width, width, batch_first=True)
        self.own_turns = sizes.own_turns
        if sizes.own_turns:
            self.own_forwards = nn.GRU(width, width, batch_first=True)
            self.own_backwards = nn.GRU(width, width, batch_first=True)
        self.qkv = nn.Linear(2 * width, 3 * width)
        self.out = nn.Linear(width, 2 * width)
        self.drop = TurnDropout(sizes.dropout)

    def forward(self, x: torch.Tensor, batch: TorchBatch) -> torch.Tensor:
        hidden = _both_ways(self.forwards, self.backwards, x, batch["turned"])
        if self.own_turns:
            own = x.flatten(0, 1)[batch["own"]]
            heard = _both_ways(
                self.own_forwards, self.own_backwards, own, batch["own_turned"]
            )
            hidden = hidden + heard.flatten(0, 1)[batch["own_back"]]
        visible = batch["visible"].unsqueeze(-1)
        hidden = self.drop(hidden * visible)
        attended = self.attention(hidden, batch)
        return hidden + self.drop(attended) * visible

    def attention(self, hidden: torch.Tensor, batch: TorchBatch) -> torch.Tensor:
        turns = hidden.shape[1]
        visible, party = batch["visible"], batch["party"]
        # Padded turns see themselves: a row without any weight would be NaN.
        seen = visible[:, None, :] | torch.eye(turns, dtype=torch.bool)
        own = seen & (party[:, None, :] == party[:, :, None])
        mask = torch.stack(
            [own] * self.own_heads + [seen] * (self.heads - self.own_heads), dim=1
        )
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.qkv(hidden).chunk(3, dim=-1)
        )
        attended = functional.scaled_dot_product_attention(query, key, value, mask)
        return self.out(attended.transpose(1, 2).flatten(-2))


def _both_ways(
    forwards: nn.GRU, backwards: nn.GRU, x: torch.Tensor, turned: torch.Tensor
) -> torch.Tensor:
    """Outputs of both directions, `[..., T, 2 width]`."""
    turned = turned.expand(-1, -1, x.shape[-1])
    # Padding comes last either way: no visible turn hears of it.
    back = backwards(x.gather(1, turned))[0].gather(1, turned)
    return torch.cat([forwards(x)[0], back], dim=-1)


class TorchPeer(nn.Module):
    """As `models.network.Dann` with one adversary; logits of both heads."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        features = 3 * sizes.width
        self.fusion, self.context = Fusion(sizes), Context(sizes)
        drop = TurnDropout(sizes.head_dropout)
        self.label_head = nn.Sequential(drop, nn.Linear(features, sizes.labels))
        self.domain_head = nn.Sequential(
            drop,
            nn.Linear(features, sizes.domain_hidden),
            nn.ReLU(),
            drop,
            nn.Linear(sizes.domain_hidden, sizes.domains),
        )

    def forward(
        self, batch: TorchBatch, strength: float = 0.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        utterance = self.fusion(batch)
        features = torch.cat([self.context(utterance, batch), utterance], dim=-1)
        reversed_features = _Reversal.apply(features, strength)
        return self.label_head(features), self.domain_head(reversed_features)


def loss_of(
    label_logits: torch.Tensor, domain_logits: torch.Tensor, batch: TorchBatch
) -> torch.Tensor:
    """As `objectives.dann` without smoothing."""

    def mean(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        total = functional.cross_entropy(
            logits.flatten(0, 1), ids.flatten(), ignore_index=UNKNOWN, reduction="sum"
        )
        return total / (ids != UNKNOWN).sum().clamp(min=1)

    return mean(label_logits, batch["label"]) + mean(domain_logits, batch["domain"])


def make_step(
    peer: TorchPeer,
    *,
    learning_rate: float,
    weight_decay: float,
    average_decay: float,
    total_steps: int,
) -> Callable[[TorchBatch, float], torch.Tensor]:
    """`(batch, strength) -> loss`: Adam with decoupled decay on matrices, cosine rate.

    The loss stays a tensor, so that nothing waits for it.
    """
    matrices = [p for p in peer.parameters() if p.ndim > 1]
    vectors = [p for p in peer.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=learning_rate,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total_steps)
    average = swa_utils.AveragedModel(
        peer, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(average_decay)
    )
    peer.train()

    def step(batch: TorchBatch, strength: float) -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(*peer(batch, strength), batch)
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(peer)
        return loss.detach()

    return step


def as_state_dict(params: PyTree, adversary: str = "speaker") -> dict[str, np.ndarray]:
    """Parameters of a `Dann`, or a gradient of them, under the peer's names.

    The result is linear in `params`, so that it maps gradients as it maps parameters.
    """
    encoder = params["encoder"]
    fusion, context = encoder["fusion"], encoder["context"]
    gru, attention = context["gru"], context["attention"]
    width = fusion["score"]["kernel"].shape[0]

    def linear(layer: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        named = {"weight": layer["kernel"].T, "bias": layer.get("bias")}
        return {name: value for name, value in named.items() if value is not None}

    qkv = [attention[name] for name in ("query", "key", "value")]
    layers = {
        "fusion.score": linear(fusion["score"]),
        "context.qkv": {
            "weight": np.concatenate(
                [part["kernel"].reshape(2 * width, -1) for part in qkv], axis=1
            ).T,
            "bias": np.concatenate([part["bias"].ravel() for part in qkv]),
        },
        "context.out": {
            "weight": attention["out"]["kernel"].reshape(-1, 2 * width).T,
            "bias": attention["out"]["bias"],
        },
        "label_head.1": linear(params["label_head"]["Dense_0"]),
        "domain_head.1": linear(params[f"{adversary}_head"]["Dense_0"]),
        "domain_head.4": linear(params[f"{adversary}_head"]["Dense_1"]),
    }
    for name, layer in fusion.items():
        if name.startswith("project_"):
            layers[f"fusion.project.{name.removeprefix('project_')}"] = linear(layer)
    directions = ("forwards", "backwards", "own_forwards", "own_backwards")
    for direction, name in enumerate(directions[: len(gru["recurrent"])]):
        part = slice(3 * width * direction, 3 * width * (direction + 1))
        layers[f"context.{name}"] = {
            "weight_ih_l0": gru["input"]["kernel"][:, part].T,
            "bias_ih_l0": gru["input"]["bias"][part],
            "weight_hh_l0": gru["recurrent"][direction].T,
            # The gates' biases are in the input's; only the candidate has its own.
            "bias_hh_l0": np.concatenate(
                [np.zeros(2 * width, np.float32), gru["candidate_bias"][direction, 0]]
            ),
        }
    return {
        f"{layer}.{name}": np.asarray(value)
        for layer, values in layers.items()
        for name, value in values.items()
    }


def load_parameters(
    peer: TorchPeer, params: PyTree, adversary: str = "speaker"
) -> None:
    """Copy the parameters of a `Dann` into the peer; every one of them must fit."""
    state = as_state_dict(params, adversary)
    peer.load_state_dict({name: torch.tensor(x) for name, x in state.items()})
