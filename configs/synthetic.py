"""The embedded default: conversations with a known structure, no files needed.

    dann-train --workdir=runs/synthetic

Four people with labels, twelve unheard ones without: source-only against a speaker
adversary, three seeds, in about a minute on two cores.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The experiment."""
    return ConfigDict(
        {
            "system": "context-dependent DANN",
            "data": {"source": "synthetic", "modalities": (), "standardise_by": ""},
            "protocol": {
                "name": "train on sessions 1-2, test on 3-8",
                "split": "fixed_split",
                "split_args": {
                    "column": "session",
                    "train": ("1", "2"),
                    "test": ("3", "4", "5", "6", "7", "8"),
                },
                "labels": ("anger", "happiness", "neutral", "sadness"),
                "unlabelled": ("test",),
                "validation_column": "dialogue",
                "validation_folds": 0,
                "seed": 0,
                "disjoint": ("speaker",),
                "allowed_leaks": (),
                "label_column": "emotion",
            },
            "adversaries": {"speaker": {"column": "speaker", "unlabelled": ("test",)}},
            "arms": {"source_only": {"speaker": 0.0}, "dann": {"speaker": 1.0}},
            "baseline": "source_only",
            "seeds": 3,
            "batches": {"batch_size": 10, "num_buckets": 1},
            "encoder": {
                "width": 32,
                "context": True,
                "heads": 2,
                "own_heads": 0,
                "dropout": 0.2,
                "dtype": "float32",
            },
            "heads": {"domain_hidden": (32,), "head_dropout": 0.2},
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
            "timetable": {
                "epochs": 30,
                "evaluate_every": 1,
                "checkpoint_every": 10,
            },
        }
    ).lock()
