"""Which layers of a pretrained encoder the arms of a run came to use."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.models.layer_mix import mixed_weights
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.types import PyTree


def layer_weights(
    params: PyTree, layers: Mapping[str, Sequence[int]], layout: ReplicaLayout
) -> dict[str, Any]:
    """The weights of every layer, over folds and seeds.

    Args:
      params: of all replicas, `[groups, arms, ...]`, with a `LayerMix` for a modality.
      layers: modality -> the numbers of its layers; others are passed over.
      layout: of the replicas.

    Returns:
      What `results.json` holds as `layers`: modality -> `numbers`, and `weights`: arm
      -> `mean` and `std` over folds and seeds, each a list in the order of `numbers`.
      Empty where nothing is mixed.
    """
    found = {}
    for name, weights in mixed_weights(params).items():
        by_arm = np.moveaxis(np.asarray(weights)[: layout.num_groups], 1, 0)
        found[name] = {
            "numbers": list(layers[name]),
            "weights": {
                arm: {"mean": own.mean(0).tolist(), "std": own.std(0).tolist()}
                for arm, own in zip(layout.arms, by_arm, strict=True)
            },
        }
    return found
