"""Spoken digits from the raw waveform, under an accent that was never labelled.

Tripathi, Mohan, Anand and Singh, "Adversarial Learning of Raw Speech Features for
Domain Invariant Speech Recognition" (arXiv 1805.08615; ICASSP 2018). A
re-implementation from the published description: a convolutional encoder of the
samples, a recognition head, and a domain head behind reversal.

    dann-train --config=configs/tripathi2018.py --workdir=runs/tripathi2018 \
        --config.data.source=DIR

DIR is a feature table with `waveform` (10 ms of samples a row, 8 kHz) and the columns
`digit` and `accent`: the free spoken digits. Each accent is left out in turn, and seen
without its labels. The variants put one of `PENALTIES` in the adversary's place.
Figures are in docs/systems/tripathi2018.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config

PENALTIES = ("coral", "mmd")


def get_config(variant: str = "") -> ConfigDict:
    """The adversary, or with a variant the same with a penalty instead of it."""
    if variant not in ("", *PENALTIES):
        raise ValueError(
            f"unknown variant {variant!r}; there are {', '.join(PENALTIES)}"
        )
    config = base_config()
    config.system = f"tripathi2018 {variant}".strip()
    config.data.modalities = ("waveform",)
    config.protocol.update(
        split_args=ConfigDict({"column": "accent"}),
        label_column="digit",
        labels=tuple("0123456789"),
        disjoint=("speaker", "accent"),
    )
    config.adversaries = ConfigDict(
        {
            # The published form: data of two domains, with and without labels.
            "domain": {"column": "role", "unlabelled": ("test",)},
            "accent": {"column": "accent", "unlabelled": ("test",)},
        }
    )
    config.arms = ConfigDict(
        {"source_only": {}, "dann": {"domain": 0.3}, "accents": {"accent": 0.3}}
    )
    if variant:
        config.objective.name = variant
        config.arms = ConfigDict({"source_only": {}, variant: {"accent": 0.3}})
    config.batches.update(batch_size=32, num_buckets=2, max_frames=64)
    # A filter of 3 frames is one of 30 ms. Augmentation by gain or feature_mask is made
    # for log energies, not for samples.
    config.encoder.frames = ConfigDict(
        {
            "name": "waveform",
            "filters": 24,
            "span": 3,
            "steps": 4,
            "width": 32,
            "kernels": (5, 3, 3),
            "dilations": (1, 2, 3),
            "stride": 2,
            "dropout": 0.1,
        }
    )
    config.encoder.dropout = 0.1
    config.heads.head_dropout = 0.1
    config.seeds = 2
    config.timetable.epochs = 8
    return config.lock()
