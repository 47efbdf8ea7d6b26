"""What every system is to be compared with, one control a variant.

    dann-train --config=configs/controls.py:coral --workdir=runs/coral \
        --config.data.source=DIR
    dann-train --config=configs/controls.py:coral+cai2020:arousal \
        --workdir=runs/cai2020-coral --config.data.source=DIR

The first leaves each speaker of DIR out in turn, as `configs/speakers.py` does. The
second is the control of a system: `CONTROL+CONFIG:VARIANT` takes data, protocol,
encoder, optimiser and timetable of that config, and its first adversary's domains, and
puts the control in the place of what the system minimises. The controls:

- `dann`, `cdan`, `cdan_e`: reversal; given the predicted class; and weighed by how
  certain it is.
- `coral`, `mmd`, `conditional_mmd`: discrepancies of the domains.
- `mcc`, `entropy_minimisation`, `information_maximisation`: of the unlabelled rows.
- `group_dro`, `vrex`, `mixup`: of the labelled rows alone, whose groups are speakers.
- `together`: those of the last three lines that are penalties, and `dann`, as arms of
  one program, so that their differences are paired.
- `speaker_normalisation`: features standardised within each speaker;
  `shrunk_normalisation`: by statistics drawn towards those of the training speakers;
  `label_aware_normalisation`: less each speaker's offset, told from their emotions.
- `nuisance_projection`: features without the leading directions in which training
  speakers differ within an emotion; inductive.
- `adabn`: batch statistics of each domain, at test those of the tested rows.
- `two_adversaries`: the system's and a second one, each with its strength, and either
  alone: `sidann` is that of corpora, each left out in turn, and speakers.
- `target_only`: the oracle of the target: a leak that its tables name.

Which keys each of them sets is in docs/controls.md.
"""

from collections.abc import Callable

from ml_collections import ConfigDict

from dann_jax.cli.config import load_config
from dann_jax.experiment.config import base_config
from dann_jax.tasks.oracle import ORACLE

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
NUISANCE_DIRECTIONS = 4
OF_LABELLED_ROWS = ("group_dro", "vrex", "mixup")
TOGETHER = (
    *("coral", "mmd", "conditional_mmd", "mcc", "vrex"),
    *("entropy_minimisation", "information_maximisation"),
)


def get_config(variant: str = "dann") -> ConfigDict:
    """Source-only against one of `STRENGTHS` or `SPECIAL`, maybe of a system."""
    control, _, system = variant.partition("+")
    if control not in STRENGTHS | SPECIAL:
        raise ValueError(
            f"unknown control {control!r}; choose from "
            f"{', '.join((*STRENGTHS, *SPECIAL))}"
        )
    if system and control == "sidann":
        raise ValueError("sidann is of corpora alone; of a system: two_adversaries")
    config = _bare(load_config(system)) if system else base_config()
    config.system = f"{config.system}: control {control}".removeprefix(": ")
    if control in STRENGTHS:
        config.objective.name = control
        domain = _groups(config) if control in OF_LABELLED_ROWS else _domain(config)
        config.arms = ConfigDict(
            {"source_only": {}, control: {domain: STRENGTHS[control]}}
        )
    SPECIAL.get(control, lambda config: None)(config)
    return config.lock()


def _bare(config: ConfigDict) -> ConfigDict:
    """A system's config with one adversary, the first, and no objective of its own."""
    config = config.copy_and_resolve_references()
    config.unlock()
    plain = base_config()
    name, rows = next(iter(config.adversaries.items()))
    named = rows["column"] if rows["column"] not in ("role", "side") else name
    config.adversaries = ConfigDict({named: rows})
    config.arms, config.baseline = ConfigDict({"source_only": {}}), "source_only"
    config.objective, config.strength.own = plain.objective, ConfigDict({})
    config.bundle.arm = ""
    rate = config.heads.head_dropout
    config.heads = plain.heads
    config.heads.head_dropout = rate
    if "players" in config.optimizer:
        # Their heads are gone.
        del config.optimizer.players
    return config


def _domain(config: ConfigDict) -> str:
    """The adversary that there is."""
    return next(iter(config.adversaries))


def _groups(config: ConfigDict) -> str:
    """Speakers of the labelled rows in the place of the domains."""
    config.adversaries = ConfigDict(
        {"speaker": {"column": "speaker", "unlabelled": ()}}
    )
    return "speaker"


def _conditional(config: ConfigDict) -> None:
    config.objective.name = "dann"
    config.heads.conditional = (_domain(config),)


def _certain(config: ConfigDict) -> None:
    _conditional(config)
    config.objective.certainty = True


def _together(config: ConfigDict) -> None:
    # A penalty on an adversary has a strength of its own, by its own word.
    domain = _domain(config)
    config.objective.penalties = ConfigDict({word: {"on": domain} for word in TOGETHER})
    config.arms = ConfigDict(
        {
            "source_only": {},
            "dann": {domain: STRENGTHS["dann"]},
            **{word: {word: STRENGTHS[word]} for word in TOGETHER},
        }
    )


def _speaker_normalisation(config: ConfigDict) -> None:
    config.data.standardise_by = "speaker"


def _shrunk(config: ConfigDict) -> None:
    config.data.update(standardise_by="speaker", standardise_kind="shrunk")


def _label_aware(config: ConfigDict) -> None:
    config.data.update(standardise_by="speaker", standardise_kind="label_aware")


def _nuisance_projection(config: ConfigDict) -> None:
    config.data.update(standardise_by="", nuisance_directions=NUISANCE_DIRECTIONS)


def _adabn(config: ConfigDict) -> None:
    column = config.protocol.split_args.column
    config.encoder.normalisation.update(name="adaptive", column=column)


def _two_adversaries(config: ConfigDict) -> None:
    first, rows = next(iter(config.adversaries.items()))
    second = "role" if rows["column"] == "speaker" else "speaker"
    config.adversaries[second] = ConfigDict({**rows, "column": second})
    alone = {name: {name: 0.3} for name in (first, second)}
    config.arms = ConfigDict(
        {"source_only": {}, **alone, "both": {first: 0.3, second: 0.3}}
    )


def _sidann(config: ConfigDict) -> None:
    config.protocol.update(
        split_args=ConfigDict({"column": "corpus"}),
        disjoint=("speaker", "corpus"),
    )
    rows = {"column": "corpus", "unlabelled": ("test",)}
    config.adversaries = ConfigDict({"corpus": rows})
    _two_adversaries(config)


def _oracle(config: ConfigDict) -> None:
    # Where one speaker is the target, others of it are not to be had.
    alone = config.protocol.split_args.column in ("speaker", "accent")
    config.protocol.oracle = "utt_id" if alone else "speaker"
    config.protocol.allowed_leaks = (ORACLE,)


SPECIAL: dict[str, Callable[[ConfigDict], None]] = {
    "cdan": _conditional,
    "cdan_e": _certain,
    "together": _together,
    "speaker_normalisation": _speaker_normalisation,
    "shrunk_normalisation": _shrunk,
    "label_aware_normalisation": _label_aware,
    "nuisance_projection": _nuisance_projection,
    "adabn": _adabn,
    "two_adversaries": _two_adversaries,
    "sidann": _sidann,
    "target_only": _oracle,
}
"""Variants that change more than the objective."""
