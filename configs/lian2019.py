"""Context-dependent multimodal DANN on IEMOCAP: the main system.

Lian, Tao, Liu and Huang, "Domain adversarial learning for emotion recognition"
(arXiv 1910.13807, 2019); published as "Context-Dependent Domain Adversarial Neural
Network for Multimodal Emotion Recognition", Interspeech 2020. A re-implementation from
the published description; what it leaves open is a key below.

    dann-train --config=configs/lian2019.py --workdir=runs/lian2019 \
        --config.data.source=DIR

DIR is a feature table (manifest.csv and features.npz) with the modalities below. Five
folds, each testing one session; the fold `session 5` is also the split that trains on
sessions 1-4. Figures, and the time they take, are in docs/results.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config


def get_config(variant: str = "") -> ConfigDict:
    """The experiment; `:ablation` is over its options, `:strengths` over strengths.

    With `:choice` the training speakers of every fold choose strength and width.
    """
    variants = {
        "": lambda config: config,
        "ablation": _ablation,
        "strengths": _strengths,
        "choice": _choice,
    }
    if variant not in variants:
        known = ", ".join(filter(None, variants))
        raise ValueError(f"unknown variant {variant!r}; choose from {known}")
    return variants[variant](_main_system()).lock()


def _main_system() -> ConfigDict:
    config = base_config()
    config.system = "lian2019"
    config.data.modalities = ("acoustic", "lexical")
    config.protocol.update(
        split="leave_one_out",
        split_args=ConfigDict({"column": "session"}),
        # Training sees the rows with other labels and, without labels, the tested
        # session. The adversary of `base_config`, over speakers, sees the latter alone:
        # its own key `unlabelled` is ("test",).
        unlabelled=("other", "test"),
        # Without validation rows, as here, of no effect; `:strengths` has some.
        validation_column="dialogue",
    )
    config.arms.dann.speaker = 0.1
    config.seeds = 5
    config.batches.update(batch_size=15, num_buckets=4)
    # Half of the heads and one of two recurrences use only the speaker's own turns.
    config.encoder.update(width=64, context=True, own_heads=2, own_turns=True)
    config.timetable.checkpoint_every = 5
    return config


def _ablation(config: ConfigDict) -> ConfigDict:
    """What the domain head separates, and which unlabelled rows take part."""
    both = ("other", "test")
    config.adversaries = ConfigDict(
        {
            "every_speaker": {"column": "speaker", "unlabelled": both},
            "speakers_with_test_rows": {"column": "speaker", "unlabelled": ("test",)},
            "training_speakers": {"column": "speaker", "unlabelled": ("other",)},
            "labelled_rows_only": {"column": "speaker", "unlabelled": ()},
            "labelled_or_not": {"column": "role", "unlabelled": both},
        }
    )
    config.arms = ConfigDict(
        {"source_only": {}, **{name: {name: 0.3} for name in config.adversaries}}
    )
    config.seeds = 2
    config.encoder.width = 64
    config.timetable.epochs = 25
    return config


def _strengths(config: ConfigDict) -> ConfigDict:
    """What a stronger adversary hides, and what it costs; a shortened schedule."""
    config.arms = ConfigDict(
        {
            "source_only": {},
            "s0_03": {"speaker": 0.03},
            "s0_1": {"speaker": 0.1},
            "s0_3": {"speaker": 0.3},
            "s1": {"speaker": 1.0},
            "s3": {"speaker": 3.0},
        }
    )
    config.seeds = 1
    # Rows to choose an epoch by, for `benchmarks/selection.py`.
    config.protocol.validation_folds = 8
    config.timetable.epochs = 8
    return config


def _choice(config: ConfigDict) -> ConfigDict:
    """Strength and width, chosen by sessions held out of the training ones."""
    config.arms = ConfigDict(
        {"source_only": {}, "s0_1": {"speaker": 0.1}, "s0_3": {"speaker": 0.3}}
    )
    config.choose.update(
        folds=4, seeds=1, settings=ConfigDict({"encoder": {"width": (64, 32)}})
    )
    return config
