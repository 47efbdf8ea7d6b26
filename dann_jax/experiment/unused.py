"""Keys of a config that have no effect while other keys are what they are."""

from collections.abc import Mapping

from ml_collections import ConfigDict

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.data.layers import layers_of
from dann_jax.experiment.config import base_config

_OF_FRAMES = ("encoder.frames", "encoder.augmentation")


def without_effect(config: ConfigDict) -> Mapping[str, str]:
    """Key (or section) -> why nothing reads it.

    Example:
      >>> config = base_config()
      >>> without_effect(config)["protocol.validation_column"]
      'config.protocol.validation_folds is 0'
    """
    protocol, encoder, reasons = config.protocol, config.encoder, {}
    if not protocol.validation_folds:
        reason = "config.protocol.validation_folds is 0"
        reasons["protocol.validation_column"] = reason
        if not protocol.labelled_target:
            reasons["protocol.seed"] = f"{reason}, and labelled_target is too"
    if not encoder.context:
        reason = "config.encoder.context is False"
        keys = ("encoder.heads", "encoder.own_heads", "encoder.own_turns")
        reasons |= dict.fromkeys(keys, reason)
    if not config.analysis.rows:
        reason = "config.analysis.rows is 0"
        keys = ("analysis.columns", "analysis.replicas", "analysis.maps")
        reasons |= dict.fromkeys(keys, reason)
    if protocol.labels:
        reasons["protocol.label_speakers"] = "config.protocol.labels names classes"
    if not config.choose.folds:
        reasons["choose.seeds"] = "config.choose.folds is 0"
    if config.selection == "last":
        reasons["timetable.patience"] = "config.selection is 'last'"
    if protocol.targets:
        reasons["protocol.label_column"] = "config.protocol.targets names columns"
    if not config.adversaries:
        reasons["heads.domain_hidden"] = "config.adversaries is empty"
    return reasons


def require_frames(config: ConfigDict, corpus: Corpus) -> None:
    """Refuse settings of frames for a corpus without any.

    What `base_config` says of frames is passed over.

    Raises:
      ValueError: the message names the section and the features that there are.
    """
    if any(isinstance(array, Frames) for array in corpus.features.values()):
        return
    usual = base_config()
    for section in _OF_FRAMES:
        name = section.rpartition(".")[2]
        section_of_run = config.encoder.get(name, usual.encoder[name])
        if section_of_run.to_dict() != usual.encoder[name].to_dict():
            raise ValueError(
                f"config.{section} has no effect: it is for features with a time axis, "
                f"and {', '.join(corpus.features)} has none; leave the section as it "
                f"is in dann_jax.base_config()"
            )


def require_layers(config: ConfigDict, corpus: Corpus) -> None:
    """Refuse to concatenate the layers of a corpus without several.

    Raises:
      ValueError: the message names the key and the features that there are.
    """
    several = any(len(layers) > 1 for layers in layers_of(corpus).values())
    if config.encoder.get("concatenate_layers") and not several:
        raise ValueError(
            f"config.encoder.concatenate_layers has no effect: none of "
            f"{', '.join(corpus.features)} has several layers of a pretrained encoder"
        )
