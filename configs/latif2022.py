"""A generator and two discriminators across languages: ADDi and sADDi.

Latif, Rana, Khalifa, Jurdak and Schuller, "Self Supervised Adversarial Domain
Adaptation for Cross-Corpus and Cross-Language Speech Emotion Recognition", IEEE TAFFC
2022 (arXiv 2204.08625). A re-implementation from the published description; what it
leaves open is a key below.

    dann-train --config=configs/latif2022.py --workdir=runs/latif2022 \
        --config.data.source=DIR

DIR is a feature table or store of several languages, with a column `language` and
features that are one vector an utterance. Each language is adapted to each other one;
no label of the target is seen. The arm `saddi` learns to generate before it learns
anything else, and classifies what it generates as well. Figures are in
docs/systems/latif2022.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import FOUR, base_config


def get_config() -> ConfigDict:
    """The experiment."""
    config = base_config()
    config.system = "latif2022"
    config.data.modalities = ("functionals",)
    # A generator of the inputs must not have to learn where each corpus lies.
    config.data.standardise_by = "language"
    # The emotions that all four languages have; others are in few of them.
    config.data.rows = ConfigDict({"emotion": FOUR})
    config.protocol.update(
        split="ordered_pairs",
        split_args=ConfigDict({"column": "language"}),
        disjoint=("speaker", "language"),
    )
    # The same discriminator of features once an arm, so that each has its strength.
    arms = ("dann", "addi", "saddi")
    language = {"column": "language", "unlabelled": ("test",)}
    config.adversaries = ConfigDict(dict.fromkeys(arms, language))
    config.arms = ConfigDict(
        {"source_only": {}, **{name: {name: 0.3} for name in arms}}
    )
    config.objective = ConfigDict(
        {
            "name": "addi",
            "adversaries": ("addi", "saddi"),
            "self_supervised": ("saddi",),
            "reconstruction": 1.0,
            "generation": 0.1,
            "augmentation": 1.0,
            "pretraining_epochs": 5,
        }
    )
    config.heads.generator_hidden = (64,)
    # Encoder and classifier, the first player, have the optimiser of every system.
    discriminator = {"learning_rate": 1e-3, "schedule": "constant"}
    config.optimizer.players = ConfigDict(
        {
            "generator": {"weight_decay": 0.0},
            "data_head": discriminator,
            "addi_head": discriminator,
            "saddi_head": discriminator,
        }
    )
    config.batches.update(batch_size=64, num_buckets=1)
    return config.lock()
