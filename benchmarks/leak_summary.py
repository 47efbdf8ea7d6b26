"""From what the runs of the leak study left to the few numbers that are kept."""

import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.leak_settings import CONTROLS, CORPORA, RUNS
from benchmarks.studies.contrasts import contrast
from benchmarks.studies.numbers import rounded
from dann_jax.utils.files import read_json

ARMS = ("source_only", "dann")
METRICS = ("ua", "wa")

Seeds = Mapping[int, Mapping[str, Any]]
"""Seed -> what a run has left."""

Runs = Mapping[str, Seeds]

Terms = Sequence[tuple[float, np.ndarray]]
"""As `contrast` takes them."""


def load(output: pathlib.Path) -> dict[str, Runs]:
    """The finished runs of each corpus that has any."""
    found = {
        name: {
            word: {
                int(path.parent.name): read_json(path)
                for path in sorted(output.glob(f"{name}/{word}/*/scores.json"))
            }
            for word in RUNS
        }
        for name in CORPORA
    }
    return {name: runs for name, runs in found.items() if any(runs.values())}


def summarise(found: Mapping[str, Runs]) -> dict[str, Any]:
    """What tables and figure are made of; numbers are `(value, low, high)` in [0, 1].

    Returns:
      Corpus -> `runs`, run -> `seeds`, `leaks` that its protocol allows, rows that are
      `labelled` in a fold and `tested`, and arm -> metric -> score; and `leaks`, leak
      -> `seeds` that it shares with its control, `worth` by arm and metric, and what
      the adversary gains in UA in the `honest` run and in the `leaky` one, with the
      `difference` of the two. What has no seed yet is not there.
    """
    return {
        name: {
            "runs": {word: _scores(run) for word, run in runs.items() if run},
            "leaks": {
                leak: _worth(runs[leak], runs[control])
                for leak, control in CONTROLS.items()
                if runs[leak].keys() & runs[control].keys()
            },
        }
        for name, runs in found.items()
    }


def _scores(run: Seeds) -> dict[str, Any]:
    first, counts = next(iter(run.values())), _counts(run, run)
    return {
        "seeds": len(run),
        "leaks": first["protocol"]["allowed_leaks"],
        **first["rows"],
        **_by_arm(lambda arm: [(1.0, counts[arm])]),
    }


def _worth(
    leaky_run: Seeds,
    control: Seeds,
) -> dict[str, Any]:
    seeds = sorted(leaky_run.keys() & control.keys())
    leaky, honest = _counts(leaky_run, seeds), _counts(control, seeds)
    plain, adversary = ARMS
    gains: dict[str, Terms] = {
        "honest": [(1.0, honest[adversary]), (-1.0, honest[plain])],
        "leaky": [(1.0, leaky[adversary]), (-1.0, leaky[plain])],
    }
    minus_honest = [(-weight, counts) for weight, counts in gains["honest"]]
    gains["difference"] = [*gains["leaky"], *minus_honest]
    return {
        "seeds": len(seeds),
        "worth": _by_arm(lambda arm: [(1.0, leaky[arm]), (-1.0, honest[arm])]),
        **{name: _interval(terms, "ua") for name, terms in gains.items()},
    }


def _counts(run: Seeds, seeds: Iterable[int]) -> dict[str, np.ndarray]:
    """Arm -> counts of these seeds, `[seeds, speakers, classes, classes]`."""
    return {
        arm: np.array([run[seed]["counts"][arm] for seed in seeds], float)
        for arm in ARMS
    }


def _by_arm(terms: Callable[[str], Terms]) -> dict[str, dict[str, list[float]]]:
    return {
        arm: {metric: _interval(terms(arm), metric) for metric in METRICS}
        for arm in ARMS
    }


def _interval(terms: Terms, metric: str) -> list[float]:
    found = contrast(terms, metric)
    return rounded(found["difference"], *found["ci95"])
