"""Conversations with a known structure, made from a seed; no files are needed.

    dann-train --config=configs/synthetic.py --workdir=runs/synthetic

Four people with labels, twelve unseen ones without: source-only against a speaker
adversary, three seeds, in about a minute on two cores.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config


def get_config() -> ConfigDict:
    """The experiment."""
    config = base_config()
    config.system = "context-dependent DANN"
    config.data.source = "synthetic"
    config.protocol.update(
        split="fixed_split",
        split_args=ConfigDict(
            {
                "column": "session",
                "train": ("1", "2"),
                "test": ("3", "4", "5", "6", "7", "8"),
            }
        ),
        validation_column="dialogue",
    )
    config.arms.dann.speaker = 1.0
    config.batches.update(batch_size=10, num_buckets=1)
    config.encoder.update(width=32, context=True, heads=2, dropout=0.2)
    config.heads.update(domain_hidden=(32,), head_dropout=0.2)
    return config.lock()
