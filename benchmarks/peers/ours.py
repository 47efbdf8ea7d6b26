"""Our runs: their flags, and their training."""

import pathlib
from collections.abc import Mapping, Sequence

from ml_collections import ConfigDict

from benchmarks.commands import run
from dann_jax.cli.config import change_config, load_config

_SIDES = pathlib.Path(__file__).with_name("sides.py")
_UNSEEN = ("protocol.unlabelled=()", "adversaries.speaker.unlabelled=()")
RUNS: Mapping[str, tuple[str, Sequence[str]]] = {
    "sides": (str(_SIDES), ()),
    "speakers": ("speakers", ()),
    "inductive": ("speakers", _UNSEEN),
}
"""Name of a run -> its config and what is changed in it."""
ARMS = {
    "ours source-only": ("speakers", "source_only", 0.0),
    "ours two domains .3": ("sides", "sides_0_3", 0.3),
    "ours two domains 1": ("sides", "sides_1", 1.0),
    "ours speakers .1": ("speakers", "cautious", 0.1),
    "ours speakers .3": ("speakers", "dann", 0.3),
    "ours source-only, inductive": ("inductive", "source_only", 0.0),
    "ours speakers .3, inductive": ("inductive", "dann", 0.3),
}
"""What tables call an arm -> the run, its arm, and the strength it has there."""


def flags_of(
    name: str, corpus: str, source: pathlib.Path, seeds: int, epochs: int
) -> list[str]:
    """Of `dann-train`, for one of `RUNS`, without the work directory."""
    config, changes = RUNS[name]
    changed = [f"data.source={source}", f"seeds={seeds}", f"timetable.epochs={epochs}"]
    words = [f"--config.{each}" for each in (*changes, *changed)]
    return [f"--config={config}:{corpus}", *words]


def config_of(flags: Sequence[str]) -> ConfigDict:
    """What `dann-train` makes of the flags."""
    config = load_config(flags[0].removeprefix("--config="))
    change_config(config, ["dann-train", *flags[1:]])
    return config


def require_strengths(name: str, config: ConfigDict) -> None:
    """Refuse a corpus whose arms are others than tables say.

    Raises:
      ValueError: an arm of the run is not there, or has another strength.
    """
    arms = config.arms.to_dict()
    for run_name, arm, strength in ARMS.values():
        if run_name == name and sum(arms.get(arm, {"": -1}).values()) != strength:
            raise ValueError(
                f"{config.system}: the arm {arm!r} is {arms.get(arm, 'not there')}, "
                f"and the tables take it for one with strength {strength}; choose "
                f"another of --corpora"
            )


def train(flags: Sequence[str], workdir: pathlib.Path) -> None:
    """Run `dann-train`, unless it has ended."""
    if not (workdir / "results.json").exists():
        log = workdir.with_name(f"{workdir.name}.log")
        run("train", [*flags, f"--workdir={workdir}"], log)
