"""Verification of unseen speakers in corpora without labels.

    dann-train --config=configs/wang2020.py --workdir=runs/wang2020 \
        --config.data.source=DIR

DIR holds several corpora with the columns `speaker` and `corpus` (see `dann-prepare`);
a speaker's name must not occur in another corpus. Every corpus is the target in
turn: its rows are seen without their speakers, and pairs of them are the trials.

The variant says what hides the corpus: an adversary (the default), `coral` or `mmd`;
or, with `several`, an adversary where two corpora are the source and the others are the
target.

Wang et al., "Adversarial Training for Multi-domain Speaker Recognition" (2011.08623),
re-implemented from its description; see docs/systems/wang2020.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config

# Each penalty on the scale of its own.
STRENGTH = {"dann": 0.3, "coral": 10.0, "mmd": 1.0}
SOURCE, TARGET = ("ased", "ravdess"), ("emodb", "emovo", "urdu")


def get_config(variant: str = "") -> ConfigDict:
    """The experiment; the variant is `coral`, `mmd`, `several` or nothing."""
    if variant not in ("", "coral", "mmd", "several"):
        raise ValueError(
            f"unknown variant {variant!r}; there are coral, mmd and several"
        )
    config = base_config()
    config.system = "multi-domain adversarial speaker recognition"
    config.protocol.update(
        split_args=ConfigDict({"column": "corpus"}),
        labels=(),
        label_column="speaker",
        open_set=True,
        disjoint=("speaker", "corpus"),
    )
    if variant == "several":
        config.protocol.update(
            split="fixed_split",
            split_args=ConfigDict(
                {"column": "corpus", "train": SOURCE, "test": TARGET}
            ),
        )
    arm = variant if variant in STRENGTH else "dann"
    config.adversaries = ConfigDict(
        {"corpus": {"column": "corpus", "unlabelled": ("test",)}}
    )
    config.arms = ConfigDict({"source_only": {}, arm: {"corpus": STRENGTH[arm]}})
    config.objective.name = arm
    if arm == "dann":
        # The corpora differ in size, and count alike.
        config.objective.balance = "domains"
    config.batches.update(batch_size=128, max_frames=200)
    return config.lock()
