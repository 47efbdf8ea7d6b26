"""The members of a bundle as one compiled program, and the batches it predicts."""

import functools
from collections.abc import Callable, Sequence

import jax
import numpy as np
from flax import linen as nn

from dann_jax.data.corpus import Corpus
from dann_jax.models.network import as_apply
from dann_jax.tasks.batches import Assembler
from dann_jax.tasks.plan import Plan, padded_frames
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.mapping import map_replicas
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.run import predict_rows
from dann_jax.training.step import make_evaluation_step
from dann_jax.types import PyTree


class Ensemble:
    """Networks of one shape; a batch shape compiles once for all calls."""

    def __init__(self, network: nn.Module, params: PyTree, names: Sequence[str]):
        """Put the parameters on the devices when they are first needed.

        Args:
          network: of one member.
          params: float32 `[M, ...]`.
          names: of the members.
        """
        self._network, self._params, self._names = network, params, names

    def outputs(self, assembler: Assembler, plan: Plan, output: str) -> np.ndarray:
        """A field of `Outputs` of all members, float32 `[M, N, dim]`."""
        loader = BatchLoader(assembler, plan, self._layout, shuffle=False, most_bytes=0)
        rows = np.arange(len(assembler.corpus))
        predictions = predict_rows(
            self._evaluate, self._replicas, loader, rows=rows, outputs=(output,)
        )
        return getattr(predictions, output)[:, 0]

    @functools.cached_property
    def _layout(self) -> ReplicaLayout:
        mesh = make_mesh(min(len(self._names), jax.device_count()))
        return ReplicaLayout(self._names, (0,), {"kept": {}}, mesh)

    @functools.cached_property
    def _replicas(self) -> PyTree:
        """The members as groups of one arm, on the devices."""
        groups = self._layout.fold_of
        return self._layout.put(
            jax.tree.map(lambda leaf: leaf[groups][:, None], self._params)
        )

    @functools.cached_property
    def _evaluate(self) -> Callable:
        step = make_evaluation_step(apply=as_apply(self._network))
        return map_replicas(step, self._layout.mesh, shared=(1,))


def plan_of(
    corpus: Corpus, members: int, batch_size: int, max_frames: int = 0
) -> tuple[Plan, dict[int, tuple[int, int]]]:
    """Whole dialogues, padded to powers of two: few shapes, and the same every time.

    What is longer than `padded_frames(max_frames)` is cut to it, as in training.

    Args:
      corpus: to be predicted, of at least one utterance.
      members: of the ensemble; each predicts every dialogue.
      batch_size: dialogues in a batch.
      max_frames: of an utterance; 0 for no limit.

    Returns:
      The plan, and its buckets' padded turns and frames.
    """
    frames = corpus.num_frames()
    limit = padded_frames(max_frames) if max_frames else np.inf
    frames = np.minimum(frames, limit).astype(int)
    exponents = np.array(
        [
            (_exponent(len(turns)), _exponent(frames[turns].max()))
            for turns in corpus.dialogues()
        ]
    )
    # One number for each pair; no exponent is near a hundred.
    buckets, sizes = np.unique(exponents @ (100, 1), return_inverse=True)
    shapes = {
        int(bucket): (
            2 ** (bucket // 100),
            int(min(2 ** (bucket % 100), limit)) if frames.any() else 0,
        )
        for bucket in buckets
    }
    everyone = np.ones((members, len(sizes)), bool)
    return Plan(buckets[sizes], everyone, batch_size, tuple(shapes)), shapes


def _exponent(number: int) -> int:
    """Of the smallest power of two that is no smaller."""
    return max(int(number) - 1, 0).bit_length()
