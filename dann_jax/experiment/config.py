"""Every key of a config, with its default. A system is what it changes of this."""

from collections.abc import Sequence

from ml_collections import ConfigDict

FOUR = ("anger", "happiness", "neutral", "sadness")
SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
EIGHT = tuple(sorted((*SEVEN, "calm")))
"""The sets of emotions that corpora share."""


def base_config() -> ConfigDict:
    """What an experiment is made of; each section mirrors a constructor.

    Source-only against a speaker adversary, on utterances without their dialogue, with
    every speaker left out in turn. Lock it when it says what it should.

    Example:
      >>> config = base_config()
      >>> config.system = "mine"
      >>> config.arms.dann.speaker = 0.1
      >>> config.lock().protocol.split
      'leave_one_out'
    """
    return ConfigDict(
        {
            "system": "",
            # `data.open.open_corpus`
            "data": {
                "source": "",
                # All there are, by default.
                "modalities": (),
                # Of a store with several layers of an encoder; all, by default.
                "layers": (),
                # "speaker" standardises each speaker's features: a strong rival. By
                # `tasks.speaker_statistics.Standardisation`: "z", "shrunk" towards the
                # training speakers by n / (n + k) of n clips, or "label_aware".
                "standardise_by": "",
                "standardise_kind": "z",
                "standardise_k": 5.0,
                # Column -> values. All other rows are not there, not even as
                # unlabelled data.
                "rows": {},
                # A CSV of `word` and `emotion`, for words that are not known.
                "emotions": "",
                # A second source, to adapt to without its labels: see
                # `tasks.splits.adapt` and docs/adapting.md.
                "target": "",
            },
            # `tasks.protocols.make_protocol`
            "protocol": {
                # Empty: what the split does, such as "leave-one-speaker-out".
                "name": "",
                "split": "leave_one_out",
                "split_args": {"column": "speaker"},
                "labels": FOUR,
                # Any of "other" (rows of the training side with other labels), "adapt"
                # and "test" (the tested rows without their labels).
                "unlabelled": ("test",),
                "validation_column": "speaker",
                "validation_folds": 0,
                "seed": 0,
                "disjoint": ("speaker",),
                "allowed_leaks": (),
                "label_column": "emotion",
                # Whether tested rows are of no class that was trained on.
                "open_set": False,
                # So many rows of each class of the adaptation side are labelled too.
                "labelled_target": 0,
                # Where there are no labels above, those of so many training speakers.
                "label_speakers": 0,
                # Columns of numbers to predict, instead of labels.
                "targets": (),
                # A column, such as "speaker", makes it the oracle of the target; then
                # allowed_leaks must name "oracle", and there is one arm.
                "oracle": "",
            },
            # Name -> `tasks.domains.domain_ids`. Another adversary is another entry;
            # it sees of its unlabelled rows those that `protocol.unlabelled` has. The
            # column "role" tells labelled from unlabelled rows, "side" the source from
            # the target of each fold.
            "adversaries": {"speaker": {"column": "speaker", "unlabelled": ("test",)}},
            # Name -> adversary -> strength; what is not named has strength 0. What an
            # objective has `on` an adversary has a strength by its own word.
            "arms": {"source_only": {}, "dann": {"speaker": 0.3}},
            "baseline": "source_only",
            "seeds": 3,
            # Which arm and settings serve new speakers best, by training speakers held
            # out within every fold: docs/choosing.md.
            "choose": {
                # Inner folds of each fold; 0 for no choice.
                "folds": 0,
                # Seeds of the inner folds; 0 for as many as outside.
                "seeds": 0,
                # Key -> values, such as {"encoder": {"width": (32, 64)}}; every
                # combination is one setting, whose arms are the candidates.
                "settings": {},
            },
            # `tasks.task.make_task`
            "batches": {"batch_size": 32, "num_buckets": 3, "max_frames": 0},
            # `models.network.DialogueEncoder`
            "encoder": {
                "width": 64,
                "context": False,
                "heads": 4,
                # How many of the heads hear only the speaker's own turns.
                "own_heads": 0,
                # Whether a second GRU goes over each speaker's own turns.
                "own_turns": False,
                "dropout": 0.3,
                "dtype": "float32",
                # `models.normalisation.MODES`, of the utterance vectors; the column is
                # what the domains are, for those modes that tell them apart.
                "normalisation": {"name": "none", "column": ""},
                # `models.frame_encoders.FRAME_ENCODERS`, for modalities with a time
                # axis. Another name has other arguments: replace the section.
                "frames": {
                    "name": "attentive",
                    "width": 64,
                    "kernels": (5, 3, 3),
                    "dilations": (1, 2, 3),
                    "stride": 2,
                    "dropout": 0.2,
                },
                # Several layers of a pretrained encoder have a learned mean
                # (`models.layer_mix`), or, with True, all of their values count.
                "concatenate_layers": False,
                # `models.augment.FrameAugmentation`
                "augmentation": {
                    "time_mask": 0.0,
                    "feature_mask": 0.0,
                    "gain": 0.0,
                    "noise": 0.0,
                },
            },
            # `models.network.Dann`
            "heads": {"conditional": (), "domain_hidden": (64,), "head_dropout": 0.3},
            # `objectives.OBJECTIVES` and `training.schedules.STRENGTH_SCHEDULES`
            "objective": {"name": "dann", "label_smoothing": 0.0},
            # "own" there holds other schedules for single strengths, by their names.
            "strength": {"name": "ganin", "own": {}},
            # `training.optimizer.make_optimizer`
            "optimizer": {
                "name": "adam",
                "learning_rate": 3e-3,
                "schedule": "cosine",
                "weight_decay": 0.1,
                "clip_norm": 0.0,
            },
            "average_decay": 0.98,
            # A word of `evaluation.selection.SELECTIONS`. The last step of a fixed
            # schedule: no label chooses anything.
            "selection": "last",
            # `evaluation.analysis.analyse`, after training; with no "rows" there is
            # none. No "columns" are speaker, corpus, language, gender and emotion.
            "analysis": {
                "columns": (),
                "rows": 600,
                "replicas": 2,
                "maps": ("pca", "tsne", "umap"),
            },
            # `bundle.bundle_run`: the arm to keep ("" is `dann`, if there is one, else
            # the last by name, as arms are sorted), the models of "all" folds or of the
            # "first", and the licence of the data, if known.
            "bundle": {"arm": "", "members": "all", "licence": ""},
            # `training.loop.Timetable`
            "timetable": {
                "epochs": 30,
                "evaluate_every": 1,
                "checkpoint_every": 10,
                # How often the gradients in the encoder are looked at; 0 for never.
                "gradients_every": 2,
            },
        }
    )


def unheard_speakers(labels: Sequence[str], groups: int = 0) -> ConfigDict:
    """`base_config` for a corpus with these labels.

    Args:
      labels: the emotions to tell apart.
      groups: in how many groups speakers are left out; 0 is one by one.
    """
    config = base_config()
    config.protocol.labels = tuple(labels)
    if groups:
        config.protocol.update(
            split="group_k_fold",
            split_args=ConfigDict({"column": "speaker", "k": groups}),
        )
    return config
