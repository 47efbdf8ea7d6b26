"""Class-wise adversaries and few labelled rows of another corpus.

Zhou and Chen, "Transferable Positive/Negative Speech Emotion Recognition via Class-wise
Adversarial Domain Adaptation", ICASSP 2019 (arXiv 1810.12782). A re-implementation from
the published description; what it leaves open is a key below.

    dann-train --config=configs/zhou2018.py:5 --workdir=runs/zhou2018-5 \
        --config.data.source=DIR

DIR is a store or feature table of several corpora, side by side, with a column
`corpus`. Each is adapted to each other one: the variant says how many rows of each
class of the target are labelled (0, 1, 3, 5, 10, 20, ...). They come from every second
speaker of the target, and the others are scored. Figures: docs/systems/zhou2018.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config

CORPORA = ("emodb", "emovo", "ravdess")
"""Of those in DIR, the ones that are adapted to each other."""

SOURCE, TARGET = 0, 1
"""The ids of the column `side` (`tasks.domains`)."""


def get_config(variant: str = "5") -> ConfigDict:
    """The experiment with so many labelled rows of each target class."""
    if not variant.isdecimal():
        raise ValueError(
            f"unknown variant {variant!r}; it is the number of labelled rows of each "
            f"target class, such as 5"
        )
    config = base_config()
    config.system = f"zhou2018, {variant} labelled target rows a class"
    config.data.rows = ConfigDict({"corpus": CORPORA})
    config.protocol.update(
        split="ordered_pairs",
        split_args=ConfigDict({"column": "corpus", "adapt_on": "speaker"}),
        labels=("negative", "positive"),
        label_column="binary_valence",
        labelled_target=int(variant),
        # Only the labelled rows of the target are used.
        unlabelled=(),
    )
    side = {"column": "side", "unlabelled": ()}
    config.adversaries = ConfigDict({"side": side, "side_of_class": side})
    config.heads.class_wise = ("side_of_class",)
    config.objective = ConfigDict(
        {
            "name": "class_wise_dann",
            # Few rows are of the target; they count as much as those of the source.
            "balance": "domains",
            "penalties": {
                # See `labels_of` (dann_jax/objectives/penalties.py): at strength 1 it
                # puts the loss of the source in the place of that of all labels ...
                "source_alone": {
                    "name": "labels_of",
                    "on": "side",
                    "domains": (SOURCE,),
                },
                # ... and, beside it, that of the target in the place of the source's.
                "fine_tuning": {
                    "name": "labels_of",
                    "on": "side",
                    "domains": (TARGET,),
                    "instead_of": (SOURCE,),
                },
            },
        }
    )
    config.strength.own = ConfigDict(
        {
            "source_alone": {"name": "constant"},
            # The first half on the source, the second on the target.
            "fine_tuning": {"name": "warmup_hold", "start": 0.5, "end": 0.55},
        }
    )
    config.arms = ConfigDict(
        {
            # The labels of the target are not learned from.
            "source_only": {"source_alone": 1.0},
            # They are labels like any other; no strength at all.
            "joint": {},
            "fine_tuned": {"source_alone": 1.0, "fine_tuning": 1.0},
            "dann": {"side": 0.3},
            "class_wise": {"side_of_class": 0.3},
        }
    )
    config.batches.update(batch_size=128, num_buckets=1)
    return config.lock()
