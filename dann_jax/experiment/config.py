"""The keys of a config, with their defaults. A system is what it changes of this.

A section has the arguments of the constructor that the comment above it names, whose
docstring says more of each. Its arguments that only some systems need are no keys yet,
and are set by adding them: `encoder.name`, `encoder.context_encoder`,
`encoder.utterance`, `heads.class_wise`, `heads.generator_hidden`,
`objective.penalties`, `optimizer.players`; likewise those of another objective,
schedule or frame encoder, which come with its name. One that the constructor does not
take is refused.
"""

from collections.abc import Sequence
from typing import Any

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
            # For tables and the report; empty: the name of the objective.
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
                # So many directions in which training speakers differ within classes
                # are removed (`tasks.nuisance`); 0 for none.
                "nuisance_directions": 0,
                # Column -> values. All other rows are not there, not even as
                # unlabelled data.
                "rows": {},
                # A CSV of `word` and `emotion`, for words that are not known.
                "emotions": "",
                # A second source, to adapt to without its labels: see
                # `tasks.splits.adapt` and docs/adaptation.md.
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
                # One of so many groups of training speakers (or of values of another
                # column) validates; 0 for none. The seed draws which.
                "validation_column": "speaker",
                "validation_folds": 0,
                "seed": 0,
                # Columns that labelled and test rows must not share a value of, and
                # those of them that they may after all: every table repeats it.
                "disjoint": ("speaker",),
                "allowed_leaks": (),
                # The column whose values are the classes.
                "label_column": "emotion",
                # Whether tested rows are of no class that was trained on.
                "open_set": False,
                # So many rows of each class of the adaptation side are labelled too.
                "labelled_target": 0,
                # Where there are no labels above, those of so many training speakers.
                "label_speakers": 0,
                # Whether raters' shares are learned, where the corpus has their votes.
                "rater_shares": True,
                # Rating columns, such as "arousal", to predict in the place of labels.
                "targets": (),
                # A column, such as "speaker", makes it the oracle of the target; then
                # allowed_leaks must name "oracle", and there is one arm.
                "oracle": "",
            },
            # Name -> `tasks.domains.domain_ids`. Another adversary is another entry.
            # It sees the labelled rows, and of the unlabelled ones those that are named
            # both here and in `protocol.unlabelled`, which alone decides what training
            # may see. The column "role" tells labelled from unlabelled rows, "side" the
            # source from the target of each fold.
            "adversaries": {"speaker": {"column": "speaker", "unlabelled": ("test",)}},
            # Arm -> adversary -> strength: the peak, which the schedule in `strength`
            # reaches; what is not named has strength 0. A penalty with `on: ADVERSARY`
            # has its own strength, set in an arm under the penalty's key. All arms
            # minimise the one `objective`: in the arm "source_only" all adversaries are
            # at 0, in the arm "dann" one is not. Arms may have any names, which have
            # nothing to do with the objectives of these names. `baseline` is the arm
            # that the others are compared with; `seeds` says how often each fold is
            # trained.
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
                # "best", or "plainest" within one standard error of it: the earlier
                # setting, and the arm with fewer strengths.
                "rule": "best",
                # Key -> values, such as {"encoder": {"width": (32, 64)}}; every
                # combination is one setting, whose arms are the candidates.
                "settings": {},
            },
            # `tasks.task.make_task`
            "batches": {
                # Dialogues in a batch; an utterance without one counts as one.
                "batch_size": 32,
                # At most so many padded shapes, each compiled once.
                "num_buckets": 3,
                # Of a longer utterance the middle is kept; 0 for no limit.
                "max_frames": 0,
            },
            # `models.network.DialogueEncoder`
            "encoder": {
                # Size of an utterance vector, and of the GRU in each direction.
                "width": 64,
                # Whether an utterance is encoded within its dialogue.
                "context": False,
                # Of the attention over the dialogue; of these `own_heads` attend only
                # to turns of the same speaker.
                "heads": 4,
                "own_heads": 0,
                # Whether a second GRU goes over each speaker's turns alone.
                "own_turns": False,
                "dropout": 0.3,
                # Of the computation: "float32" or "bfloat16".
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
                    # The largest masked share of the frames and of the features; the
                    # largest gain, and the deviation of the noise.
                    "time_mask": 0.0,
                    "feature_mask": 0.0,
                    "gain": 0.0,
                    "noise": 0.0,
                },
            },
            # `models.network.Dann`
            "heads": {
                # Adversaries that are given the predicted class too.
                "conditional": (),
                # Hidden widths of every domain head; () is a linear one.
                "domain_hidden": (64,),
                # Before each layer of the emotion head and of the domain heads.
                "head_dropout": 0.3,
            },
            # `objectives.OBJECTIVES`: what every arm minimises. With strength 0 the
            # objective "dann" is "source_only" to the encoder and the emotion head
            # (but see `clip_norm`): the adversaries learn, and change nothing.
            # `label_smoothing`: share of the target that is spread over all classes.
            "objective": {"name": "dann", "label_smoothing": 0.0},
            # `training.schedules.STRENGTH_SCHEDULES`: the way from 0 to the strengths
            # of the arms. "own" has other schedules, by the names of the strengths.
            "strength": {"name": "ganin", "own": {}},
            # `training.optimizer.make_optimizer`
            "optimizer": {
                # Or "sgd"; the learning rate follows "schedule": "constant", "cosine"
                # or "ganin".
                "name": "adam",
                "learning_rate": 3e-3,
                "schedule": "cosine",
                # Decoupled, times the learning rate, of matrices only.
                "weight_decay": 0.1,
                # Longer gradients are scaled down to it; 0 for never. The norm counts
                # the domain heads, so that it lets them act on an arm of strength 0.
                "clip_norm": 0.0,
            },
            # Of the moving average of the parameters over steps, which is what is
            # evaluated and kept; 0 keeps the last ones.
            "average_decay": 0.98,
            # A word of `evaluation.selection.SELECTIONS`. The last step of a fixed
            # schedule: no label chooses anything.
            "selection": "last",
            # `evaluation.analysis.analyse`, after training: what the features tell,
            # by fresh probes for each of "columns" (none named: speaker, corpus,
            # language, gender and emotion), on at most so many "rows" (0: no analysis),
            # of so many "replicas" (a fold and a seed, all arms), and drawn as "maps".
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
            # `training.timetable.Timetable`
            "timetable": {
                "epochs": 30,
                # How often validation rows are scored; in epochs, as the other two.
                "evaluate_every": 1,
                "checkpoint_every": 10,
                # How often the gradients in the encoder are looked at; 0 for never.
                "gradients_every": 2,
                # Early stopping: after so many evaluations in which the score of
                # "selection" rose for no replica; 0 for never.
                "patience": 0,
            },
        }
    )


def unseen_speakers(labels: Sequence[str], groups: int = 0) -> ConfigDict:
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


def value_at(config: ConfigDict, key: str, default: Any = None) -> Any:
    """The value or section at a dotted key; `default` where there is none.

    Example:
      >>> value_at(ConfigDict({"encoder": {"width": 32}}), "encoder.width")
      32
    """
    here: Any = config
    for part in key.split("."):
        if not isinstance(here, ConfigDict) or part not in here:
            return default
        here = here[part]
    return here
