"""A small corpus, batches, a network without Flax, and comparisons of trees."""

import contextlib
import resource
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from shared_draws import key_of, once, shapes_of

from dann_jax.data.corpus import Corpus
from dann_jax.models.network import initialise
from dann_jax.models.reversal import reverse_gradient
from dann_jax.types import UNKNOWN, Array, Batch, Outputs, PyTree, Scalar

LABELS = ("anger", "joy")
LENGTHS = (3, 5, 9, 4)
DIMS = {"audio": 3, "text": 2}


def toy_corpus(sessions: int = 3, seed: int = 0) -> Corpus:
    """Two-person dialogues of `LENGTHS` turns in every session.

    Every speaker says anger, joy and something else in every dialogue of at least
    five turns; about one utterance in five has no text, and its text is NaN.
    """
    rng = np.random.default_rng(seed)
    columns: dict[str, list[str]] = {
        name: []
        for name in (
            "utt_id", "speaker", "session", "dialogue", "turn", "gender", "emotion",
            "corpus",
        )
    }  # fmt: skip
    for session in range(sessions):
        for number, length in enumerate(LENGTHS):
            for turn in range(length):
                gender = "fm"[turn % 2]
                row = {
                    "utt_id": f"s{session}d{number}t{turn}",
                    "speaker": f"s{session}{gender}",
                    "session": f"s{session}",
                    "dialogue": f"s{session}d{number}",
                    "turn": str(turn),
                    "gender": gender,
                    "emotion": ("anger", "joy", "other")[(turn // 2 + number) % 3],
                    "corpus": "east" if session % 2 else "west",
                }
                for name, value in row.items():
                    columns[name].append(value)
    rows = len(columns["utt_id"])
    order = rng.permutation(rows)
    features = {
        name: rng.normal(2.0, 3.0, (rows, dim)).astype(np.float32)
        for name, dim in DIMS.items()
    }
    present = {"audio": np.ones(rows, bool), "text": rng.random(rows) > 0.2}
    features["text"][~present["text"]] = np.nan
    return Corpus(
        name="toy",
        columns={name: np.array(column)[order] for name, column in columns.items()},
        features=features,
        present=present,
    )


def toy_batch(
    dialogues: int = 2,
    turns: int = 5,
    *,
    labels: int = 2,
    domains: Mapping[str, int] = {"speaker": 3},
    seed: int = 0,
) -> Batch:
    """A batch with hidden turns, missing modalities and rows without a label."""
    rng = np.random.default_rng(seed)
    shape = (dialogues, turns)
    visible = rng.random(shape) > 0.25
    visible[:, 0] = True
    text = visible & (rng.random(shape) > 0.3)

    def ids(count: int) -> np.ndarray:
        drawn = np.where(
            rng.random(shape) > 0.3, rng.integers(0, count, shape), UNKNOWN
        )
        return np.where(visible, drawn, UNKNOWN).astype(np.int32)

    return Batch(
        inputs={
            name: rng.normal(size=(*shape, dim)).astype(np.float32)
            for name, dim in DIMS.items()
        },
        present={"audio": visible, "text": text},
        visible=visible,
        party=np.broadcast_to(np.arange(turns, dtype=np.int32) % 2, shape).copy(),
        label=ids(labels),
        domain={name: ids(count) for name, count in domains.items()},
        row=np.where(visible, np.arange(np.prod(shape)).reshape(shape), UNKNOWN),
        num_frames={},
    )


def plain_params(
    key: jax.Array, *, width: int = 4, labels: int = 2, domains: Mapping[str, int]
) -> PyTree:
    """Parameters of `plain_apply`: nothing but nested dicts of arrays."""
    dim = DIMS["audio"]
    sizes = {"encoder": (dim, width), "label_head": (width, labels)}
    sizes |= {f"{name}_head": (width, count) for name, count in domains.items()}
    keys = jax.random.split(key, len(sizes))
    return {
        name: jax.random.normal(k, size) / np.sqrt(size[0])
        for k, (name, size) in zip(keys, sizes.items(), strict=True)
    }


def plain_apply(
    params: PyTree, batch: Any, strength: Mapping[str, Scalar], key: Array | None
) -> Outputs:
    """A network in five lines of plain JAX, with dropout where there is a key."""
    features = jnp.tanh(batch.inputs["audio"] @ params["encoder"])
    if key is not None:
        features *= 2.0 * jax.random.bernoulli(key, 0.5, features.shape[-1:])
    domain_logits = {
        name: reverse_gradient(features, strength[name]) @ params[f"{name}_head"]
        for name in batch.domain
    }
    return Outputs(features, features @ params["label_head"], domain_logits)


_made: dict = {}
"""Shapes of parameters: networks of one kind are drawn again and again."""


def network_params(module: nn.Module, batch: Batch, seed: int = 0) -> PyTree:
    """Random parameters of a network, biases included; initialising takes seconds."""
    shapes = once(
        _made,
        (key_of(module), shapes_of(batch)),
        lambda: jax.eval_shape(lambda: initialise(module, batch, jax.random.key(0))),
    )
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0.0, 0.4, leaf.shape), leaf.dtype), shapes
    )


def stack(trees: Sequence[PyTree]) -> PyTree:
    """Trees of one structure -> one tree with a new leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def assert_trees_equal(actual: PyTree, expected: PyTree) -> None:
    """Same structure, and every leaf the same number for number."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, actual, expected)


def assert_trees_close(
    actual: PyTree, expected: PyTree, *, rtol: float = 0.0, atol: float = 0.0
) -> None:
    """Same structure, and every leaf close."""
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    jax.tree.map(
        lambda a, e: np.testing.assert_allclose(a, e, rtol=rtol, atol=atol),
        actual,
        expected,
    )


@contextlib.contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    """Fail every write beyond `size` bytes of a file, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal that would end the process.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
