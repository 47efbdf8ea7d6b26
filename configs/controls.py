"""What every system is to be compared with, one control a variant.

    dann-train --config=configs/controls.py:coral --workdir=runs/coral \
        --config.data.source=DIR

DIR is a feature table or store of one corpus (of several, with a column `corpus`, for
`sidann`). Each speaker is tested by a network trained on the others, as in
`configs/speakers.py`. The variants:

- `dann`, `cdan`, `cdan_e`: reversal; given the predicted class; and weighed by how
  certain it is.
- `coral`, `mmd`, `conditional_mmd`: discrepancies of the speakers.
- `mcc`, `entropy_minimisation`, `information_maximisation`: of the unlabelled rows.
- `group_dro`, `vrex`, `mixup`: of the labelled rows alone.
- `together`: those of the last three lines that are penalties, and `dann`, as arms of
  one program, so that their differences are paired.
- `speaker_normalisation`: features standardised within each speaker.
- `sidann`: corpus and speaker hidden at once, each with a strength of its own, and
  either alone; every corpus is left out in turn.
- `target_only`: the oracle of a target. DIR is the target alone; others of its own
  speakers are labelled.

Any other config takes the same keys: a control is an objective, a head or a column.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from dann_jax.defaults import base_config

# Each on a scale of its own.
STRENGTHS = {
    "dann": 0.3,
    "cdan": 0.3,
    "cdan_e": 0.3,
    "coral": 10.0,
    "mmd": 1.0,
    "conditional_mmd": 1.0,
    "mcc": 1.0,
    "entropy_minimisation": 0.1,
    "information_maximisation": 0.1,
    "group_dro": 1.0,
    "vrex": 1.0,
    "mixup": 1.0,
}
TOGETHER = (
    *("coral", "mmd", "conditional_mmd", "mcc", "vrex"),
    *("entropy_minimisation", "information_maximisation"),
)


def get_config(variant: str = "dann") -> ConfigDict:
    """Source-only against one of `STRENGTHS` or `SPECIAL`."""
    if variant not in STRENGTHS | SPECIAL:
        raise ValueError(
            f"unknown variant {variant!r}; choose from "
            f"{', '.join((*STRENGTHS, *SPECIAL))}"
        )
    config = base_config()
    config.system = f"control {variant}"
    if variant in STRENGTHS:
        config.objective.name = variant
        config.arms = ConfigDict(
            {"source_only": {}, variant: {"speaker": STRENGTHS[variant]}}
        )
    SPECIAL.get(variant, lambda config: None)(config)
    return config.lock()


def _conditional(config: ConfigDict) -> None:
    config.objective.name = "dann"
    config.heads.conditional = ("speaker",)


def _certain(config: ConfigDict) -> None:
    _conditional(config)
    config.objective.certainty = True


def _together(config: ConfigDict) -> None:
    # A penalty on an adversary has a strength of its own, by its own word.
    config.objective.penalties = ConfigDict(
        {word: {"on": "speaker"} for word in TOGETHER}
    )
    config.arms = ConfigDict(
        {
            "source_only": {},
            "dann": {"speaker": STRENGTHS["dann"]},
            **{word: {word: STRENGTHS[word]} for word in TOGETHER},
        }
    )


def _speaker_normalisation(config: ConfigDict) -> None:
    config.data.standardise_by = "speaker"


def _two_adversaries(config: ConfigDict) -> None:
    config.protocol.update(
        name="leave-one-corpus-out",
        split_args=ConfigDict({"column": "corpus"}),
        disjoint=("speaker", "corpus"),
    )
    columns = ("corpus", "speaker")
    config.adversaries = ConfigDict(
        {column: {"column": column, "unlabelled": ("test",)} for column in columns}
    )
    alone = {column: {column: 0.3} for column in columns}
    config.arms = ConfigDict(
        {"source_only": {}, **alone, "both": {"corpus": 0.3, "speaker": 0.3}}
    )


def _oracle(config: ConfigDict) -> None:
    config.baseline = "target_only"
    config.arms = ConfigDict({"target_only": {}})
    # Nothing but the labelled rows is seen.
    config.protocol.unlabelled = ()
    config.adversaries.speaker.unlabelled = ()


SPECIAL: dict[str, Callable[[ConfigDict], None]] = {
    "cdan": _conditional,
    "cdan_e": _certain,
    "together": _together,
    "speaker_normalisation": _speaker_normalisation,
    "sidann": _two_adversaries,
    "target_only": _oracle,
}
"""Variants that change more than the objective."""
