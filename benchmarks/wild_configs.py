"""Wild values for every key of a config: each is refused in a line, or can be run.

    PYTHONPATH=. python -m benchmarks.wild_configs --count=300

Keys and values are drawn by a seed, from `base_config` and from every config that comes
with the package. Each draw goes as far as a run does before its first step: corpus,
protocol, batches, the compiled program's shapes, what is left in memory. What is not
refused is counted as valid; a `ValueError` or `OSError` is what a command turns into
one line; anything else is a fault and is printed with its traceback.
"""

import argparse
import pathlib
import random
import resource
import tempfile
import time
import traceback
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from benchmarks.timing import table
from dann_jax.cli.config import configs_folder, keys, load_config
from dann_jax.data.manifest import write_manifest
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.experiment.config import base_config
from dann_jax.experiment.estimate import needs_of, require_room
from dann_jax.training.timetable import Timetable
from dann_jax.utils.arguments import call_checked
from dann_jax.utils.words import shortened

EMOTIONS = ("anger", "happiness", "neutral", "sadness")

WILD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3.7, -0.5, 10**6, 10**8, 2**31, 2**64, 10**300),
    *(1e-300, 1e30, 1e308, float("nan"), float("inf"), float("-inf")),
    *("", "abc", "0", "1e3", "a.b", "../..", "x" * 100_000, "\0", "\udcff", "ü"),
    *((), (0,), (1,), ("a",), (("a",),), (None,), (-1, 2), tuple(range(10_000))),
    *({}, {"a": 1}, {"name": "x"}, {"name": 3}, {"a": {"b": {"c": ()}}}, [1, "a"]),
    *(b"bytes", 1j, object(), np.float32(0.1), np.int64(3), np.zeros(3), np.str_("1")),
)
"""Values of which few make sense anywhere."""


class Tried(NamedTuple):
    """What became of a draw: `valid`, `refused` or `fault`, and what was said."""

    outcome: str
    said: str
    seconds: float


def main() -> None:
    """Try so many draws, and count what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="draws")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--show", action="store_true", help="print every message")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = write_corpus(pathlib.Path(folder))
        found = []
        for config, key, value in draws(chosen.count, chosen.seed):
            tried = attempt(config, source, key, value)
            found.append(tried)
            if chosen.show or tried.outcome == "fault":
                print(f"{key}={value!r:.60}: {tried.outcome}: {tried.said}")
    counts = [sum(one.outcome == word for one in found) for word in OUTCOMES]
    # In kilobytes on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    longest = max(len(one.said) for one in found if one.outcome == "refused")
    slowest = max(one.seconds for one in found)
    names = [*OUTCOMES, "longest message", "slowest s", "peak GB"]
    print(table(names, [[*counts, longest, round(slowest, 1), round(peak, 2)]]))


OUTCOMES = ("valid", "refused", "fault")


def draws(count: int, seed: int) -> list[tuple[str, str, Any]]:
    """Config, dotted key and value of each draw; every key of each before any twice."""
    rng = random.Random(seed)
    names = ["", *sorted(path.stem for path in configs_folder().glob("[!_]*.py"))]
    places = [
        (name, key)
        for name in names
        for key in dict.fromkeys(
            [*_sections(_config(name)), *dict(keys(_config(name)))]
        )
    ]
    rng.shuffle(places)
    return [(*places[n % len(places)], rng.choice(WILD)) for n in range(count)]


def attempt(name: str, source: pathlib.Path, key: str, value: Any) -> Tried:
    """Change one key, and do all that a run does before its first step."""
    began = time.perf_counter()
    try:
        config = _config(name).unlock()
        if key != "data.source":
            config.data.source = str(source)
        _put(config, key, value)
        prepare(config)
        outcome, said = "valid", ""
    except (ValueError, OSError) as error:
        outcome, said = "refused", shortened(str(error))
    except Exception:
        outcome, said = "fault", traceback.format_exc()
    return Tried(outcome, said, time.perf_counter() - began)


def prepare(config: ConfigDict) -> None:
    """What a run does before it makes anything large."""
    task, layout = build_task_and_layout(config)
    plan = task.plan(task.protocol.visible())
    timetable = call_checked(
        "config.timetable", Timetable, plan.steps_per_epoch, **config.timetable
    )
    program = compiled(config, task, layout, timetable)
    require_room(needs_of(task, layout, program, timetable), layout)


def write_corpus(folder: pathlib.Path) -> pathlib.Path:
    """A feature table with whatever a config that comes with the package asks for."""
    corpora = {"ased": "am", "emodb": "de", "emovo": "it", "ravdess": "en"}
    rows = [
        {
            "utt_id": f"{corpus}{who}{number}",
            "speaker": f"{corpus}{who}",
            "corpus": corpus,
            "language": language,
            "accent": language,
            "session": str(who),
            "digit": str((number + 3 * who) % 10),
            "style": "script" if number // 4 == 1 else "impro",
            "emotion": EMOTIONS[number % 4],
            **{name: str(number) for name in ("valence", "activation", "dominance")},
        }
        for corpus, language in {**corpora, "urdu": "ur"}.items()
        for who in range(4)
        for number in range(12)
    ]
    rng = np.random.default_rng(0)
    arrays = {
        name: rng.normal(size=(len(rows), 3)).astype(np.float32)
        for name in ("functionals", "acoustic", "lexical")
    }
    for name in ("logmel", "waveform"):
        arrays[name] = rng.normal(size=(2 * len(rows), 8)).astype(np.float32)
        arrays[f"{name}_lengths"] = np.full(len(rows), 2)
    place = folder / "everything"
    place.mkdir()
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    write_manifest(place / "manifest.csv", columns)
    np.savez(place / "features.npz", **arrays)
    return place


def _config(name: str) -> ConfigDict:
    config = load_config(name).copy_and_resolve_references() if name else base_config()
    with config.unlocked():
        config.seeds = 1
    return config


def _sections(config: ConfigDict, name: str = "") -> list[str]:
    """Dotted names of all sections."""
    found = []
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            found += [name + key, *_sections(value, f"{name}{key}.")]
    return found


def _put(config: ConfigDict, key: str, value: Any) -> None:
    *sections, last = key.split(".")
    here = config
    for section in sections:
        here = here[section]
    with here.ignore_type():
        here[last] = ConfigDict(value) if isinstance(value, dict) else value


if __name__ == "__main__":
    main()
