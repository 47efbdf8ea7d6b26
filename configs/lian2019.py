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


def get_config(variant: str = "") -> ConfigDict:
    """The experiment; `configs/lian2019.py:ablation` is the one over its options."""
    variants = {"": lambda config: config, "ablation": _ablation}
    if variant not in variants:
        raise ValueError(f"unknown variant {variant!r}; there is 'ablation'")
    return variants[variant](_main_system()).lock()


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


def _main_system() -> ConfigDict:
    return ConfigDict(
        {
            "system": "lian2019",
            "data": {
                "source": "",
                "modalities": ("acoustic", "lexical"),
                # "speaker" standardises each speaker's features: a strong rival.
                "standardise_by": "",
            },
            "protocol": {
                "name": "leave-one-session-out",
                "split": "leave_one_out",
                "split_args": {"column": "session"},
                "labels": ("anger", "happiness", "neutral", "sadness"),
                # Rows with other labels, and the test session without its labels.
                "unlabelled": ("other", "test"),
                "validation_column": "dialogue",
                "validation_folds": 0,
                "seed": 0,
                "disjoint": ("speaker",),
                "allowed_leaks": (),
                "label_column": "emotion",
            },
            # Another adversary is another entry; "role" as the column tells labelled
            # from unlabelled rows.
            "adversaries": {
                "speaker": {"column": "speaker", "unlabelled": ("other", "test")}
            },
            "arms": {"source_only": {"speaker": 0.0}, "dann": {"speaker": 0.3}},
            "baseline": "source_only",
            "seeds": 5,
            "batches": {"batch_size": 15, "num_buckets": 4},
            "encoder": {
                "width": 100,
                "context": True,
                "heads": 4,
                # Half of the heads hear only the speaker's own turns.
                "own_heads": 2,
                "dropout": 0.3,
                "dtype": "float32",
            },
            "heads": {"domain_hidden": (100,), "head_dropout": 0.3},
            "objective": {"name": "dann", "label_smoothing": 0.0},
            "strength": {"name": "ganin"},
            "optimizer": {
                "name": "adam",
                "learning_rate": 3e-3,
                "schedule": "cosine",
                "weight_decay": 0.1,
                "clip_norm": 0.0,
            },
            "average_decay": 0.98,
            # The last step of a fixed schedule: no label chooses anything.
            "selection": "last",
            "timetable": {"epochs": 30, "evaluate_every": 1, "checkpoint_every": 5},
        }
    )
