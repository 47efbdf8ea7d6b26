"""What is wrong with a config, said by the names of its keys, before all else.

What a value may be is said where it is consumed, by the annotations of the constructors
that its sections mirror; what two keys must be to each other is said here.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from ml_collections import ConfigDict

from dann_jax.bundle.run import bundle_run
from dann_jax.data.open import open_corpus
from dann_jax.evaluation.analysis.options import require_analysis
from dann_jax.evaluation.selection import SELECTIONS
from dann_jax.experiment.choose_settings import check_choice
from dann_jax.experiment.config import value_at
from dann_jax.models.augment import FrameAugmentation
from dann_jax.models.frame_encoders import FRAME_ENCODERS
from dann_jax.models.network import Dann, DialogueEncoder
from dann_jax.models.normalisation import normalise
from dann_jax.objectives import OBJECTIVES, REGRESSIONS
from dann_jax.tasks.domains import domain_ids
from dann_jax.tasks.nuisance import with_directions
from dann_jax.tasks.protocols import assign_roles, make_protocol
from dann_jax.tasks.speaker_statistics import standardisation
from dann_jax.tasks.splits import SPLITS
from dann_jax.tasks.task import make_task
from dann_jax.training.optimizer import make_optimizer
from dann_jax.training.program import make_program
from dann_jax.training.schedules import STRENGTH_SCHEDULES
from dann_jax.training.timetable import Timetable
from dann_jax.utils.arguments import Range, Weight, check, require
from dann_jax.utils.named import is_user_code

_ABSENT = object()

_EPOCHS = Annotated[float, Range(0), Range(high=10**6)]

RESERVED = ("label", "data", "generator")
"""No adversary may be called so: the network has parts of these names."""

KEYS: Mapping[str, Any] = {
    "system": str,
    "baseline": str,
    "selection": Literal[*SELECTIONS],
    "encoder.concatenate_layers": bool,
    "strength.own": Mapping[str, Mapping[str, Any]],
    "arms": Mapping[str, Mapping[str, Weight]],
    "seeds": Annotated[int, Range(1), Range(high=10_000)],
}
"""The keys that are no arguments of a constructor, and what they must be."""

SECTIONS: Mapping[str, tuple[Callable, ...]] = {
    "": (make_program,),
    "data": (open_corpus, standardisation, with_directions),
    "protocol": (make_protocol, assign_roles),
    "batches": (make_task,),
    "encoder": (DialogueEncoder,),
    "encoder.normalisation": (normalise,),
    "encoder.augmentation": (FrameAugmentation,),
    "heads": (Dann,),
    "optimizer": (make_optimizer,),
    "analysis": (require_analysis,),
    "bundle": (bundle_run,),
    "timetable": (Timetable,),
}
"""Section -> the constructors whose arguments its keys are."""

NAMED: Mapping[str, tuple[str, Mapping[str, Callable]]] = {
    "protocol.split_args": ("protocol.split", SPLITS),
    "encoder.frames": ("encoder.frames.name", FRAME_ENCODERS),
    "objective": ("objective.name", OBJECTIVES),
    "strength": ("strength.name", STRENGTH_SCHEDULES),
}
"""Section -> the key with the word for its constructor, and the table of these."""

_NEEDED = (
    *("data.source", "protocol.split", "objective.name", "strength.name"),
    *("seeds", "arms", "baseline", "selection", "average_decay"),
    *("encoder.normalisation.name", "encoder.normalisation.column"),
    *("bundle.arm", "bundle.members"),
)


def check_config(config: ConfigDict) -> None:
    """Refuse a config that cannot be run, whatever the corpus.

    Raises:
      ValueError: the message names the key, its value and what would be right.

    Example:
      >>> from dann_jax.experiment.config import base_config
      >>> config = base_config()
      >>> config.data.source = "voices"
      >>> config.timetable.epochs = 0
      >>> check_config(config)
      Traceback (most recent call last):
      ...
      ValueError: config.timetable.epochs must be at least 1, got 0
    """
    for key in _NEEDED:
        if value_at(config, key) is None:
            raise ValueError(f"config.{key} is missing")
    if not config.data.source:
        raise ValueError(
            "config.data.source is empty; it must be the folder of a feature table or "
            "a prepared store: --config.data.source=DIR"
        )
    check_values(config)
    if config.bundle.arm not in ("", *config.arms):
        raise ValueError(
            f"config.bundle.arm must be '' or an arm, {', '.join(config.arms)}, got "
            f"{config.bundle.arm!r}"
        )
    _check_adversaries(config)
    _check_heads(config)
    _check_task(config)
    check_choice(config)


def check_values(config: ConfigDict) -> None:
    """Hold every value against what its constructor takes.

    Raises:
      ValueError: a section is none, or a value is of another kind or out of its range.
    """
    for key, wanted in KEYS.items():
        value = value_at(config, key, _ABSENT)
        if value is not _ABSENT:
            require(f"config.{key}", value, wanted)
    for section, constructors in SECTIONS.items():
        for constructor in constructors:
            check(_path(section), constructor, _section(config, section))
    for section, (key, table) in NAMED.items():
        word, options = value_at(config, key), _section(config, section)
        if word is not None:
            require(f"config.{key}", word, str)
        # A word that is in no table is told with those that are by who looks it up.
        if word in table:
            check(_path(section), table[word], {**options, "name": word})
    for key, value in _section(config, "objective").items():
        # The run alone knows how many steps they are: `Timetable.in_steps`.
        if key.endswith("_epochs"):
            require(f"config.objective.{key}", value, _EPOCHS)
    for name in _section(config, "adversaries"):
        section = f"adversaries.{name}"
        check(_path(section), domain_ids, _section(config, section))


def annotation_of(config: ConfigDict, key: str) -> Any:
    """What a constructor says that the value of a key may be; None where none does.

    Example:
      >>> from dann_jax.experiment.config import base_config
      >>> annotation_of(base_config(), "data.layers")
      collections.abc.Sequence[int]
    """
    section, _, name = key.rpartition(".")
    word, table = NAMED.get(section, ("", {}))
    named = table.get(value_at(config, word))
    for constructor in (*SECTIONS.get(section, ()), *filter(None, [named])):
        if name in (known := inspect.signature(constructor).parameters):
            return known[name].annotation
    return None


def _section(config: ConfigDict, name: str) -> Mapping[str, Any]:
    """The section as plain values; empty where there is none."""
    section = value_at(config, name, {}) if name else config
    if isinstance(section, ConfigDict):
        return section.to_dict()
    require(_path(name), section, Mapping[str, Any])
    return section


def _path(section: str) -> str:
    return f"config.{section}" if section else "config"


def _check_adversaries(config: ConfigDict) -> None:
    for name, arguments in config.adversaries.items():
        if name in RESERVED or not name.isidentifier():
            raise ValueError(
                f"no adversary can be called {name!r}: use letters, digits and _, and "
                f"none of {', '.join(RESERVED)}, which are parts of the network"
            )
        if not isinstance(arguments, ConfigDict) or "column" not in arguments:
            raise ValueError(
                f"config.adversaries.{name} needs a column, such as "
                f"{{'column': 'speaker'}}"
            )
    for name in config.heads.get("conditional", ()):
        if name not in config.adversaries:
            raise ValueError(
                f"config.heads.conditional names {name!r}; the adversaries are "
                f"{', '.join(config.adversaries)}"
            )


def _check_heads(config: ConfigDict) -> None:
    """The heads of the attention share the width of the encoder."""
    encoder = config.encoder
    if encoder.get("context") and encoder.width % encoder.heads:
        raise ValueError(
            f"config.encoder.heads must divide config.encoder.width, {encoder.width}, "
            f"got {encoder.heads}"
        )
    if encoder.get("own_heads", 0) > encoder.heads:
        raise ValueError(
            f"config.encoder.own_heads must be at most config.encoder.heads, "
            f"{encoder.heads}, got {encoder.own_heads}"
        )


def _check_task(config: ConfigDict) -> None:
    """What is learned is what is asked: values or classes."""
    name, targets = config.objective.name, value_at(config, "protocol.targets", ())
    if not is_user_code(name) and bool(targets) != (name in REGRESSIONS):
        raise ValueError(
            f"config.objective.name is {name!r}; it must be {' or '.join(REGRESSIONS)} "
            f"where config.protocol.targets names columns, and there only"
        )
    given_classes = [
        key for key in ("conditional", "class_wise") if config.heads.get(key)
    ]
    if targets and given_classes:
        raise ValueError(
            f"config.heads.{given_classes[0]} gives an adversary the predicted class, "
            f"and there are no classes where config.protocol.targets names columns"
        )
