"""Two domains, those that train and those that are tested: our arms beside skada's.

    dann-train --config=benchmarks/peers/sides.py:emovo --workdir=runs/sides-emovo \
        --config.data.source=DATA/emovo

The network, the folds and the timetable of `configs/speakers.py`, with an adversary
that tells the labelled rows from the tested ones, as adaptation from a source to a
target does, in the place of one that tells every speaker apart. Heads are drawn apart
from the rest, so that seeds and folds are paired with those of `configs/speakers.py`.
"""

from ml_collections import ConfigDict

from dann_jax.cli.config import load_config

STRENGTHS = {"sides_0_3": 0.3, "sides_1": 1.0}


def get_config(variant: str = "emovo") -> ConfigDict:
    """Two strengths of the adversary on one corpus of `configs/speakers.py`."""
    config = load_config(f"speakers:{variant}").unlock()
    config.system = f"source against target, {variant}"
    config.adversaries = ConfigDict(
        {"side": {"column": "side", "unlabelled": ("test",)}}
    )
    config.arms = ConfigDict(
        {
            "source_only": {},
            **{arm: {"side": strength} for arm, strength in STRENGTHS.items()},
        }
    )
    # Nobody looks at more than their scores.
    config.analysis.rows = config.timetable.gradients_every = 0
    config.bundle.update(arm="source_only", members="first")
    return config.lock()
