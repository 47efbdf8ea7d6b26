"""A choice by held-out training speakers beside choices by label-free criteria.

    python -m benchmarks.studies.label_free_choice runs/recommended-emovo ...

Reads finished runs of `dann-train` that chose settings (docs/choosing.md), and trains
nothing. In every fold each criterion takes the candidate that it thinks best of, by
the logits of the tested rows, without their labels, mean over seeds. UA is pooled over
folds, then averaged over seeds. Only corpora of single utterances: of dialogues
the predictions that are kept do not say which rows a fold tests.
"""

import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.evaluation.choice import CHOSEN, ORACLE, best
from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.unsupervised import CRITERIA, FROM_LOGITS, View
from dann_jax.report.run import SETTINGS
from dann_jax.utils.files import read_json


def criterion_table(
    logits: np.ndarray, tested: Sequence[int], seeds: int
) -> dict[str, np.ndarray]:
    """What each criterion of logits thinks of each arm, float `[folds, arms]`.

    Args:
      logits: float `[folds x seeds, arms, n, classes]`, NaN where a fold does not test
        a row.
      tested: how many rows each of the groups tests.
      seeds: of each fold.

    Raises:
      ValueError: a group predicts other rows than those that it tests.
    """
    scores = {word: np.empty(logits.shape[:2]) for word in FROM_LOGITS}
    nothing = np.zeros((0, 0))
    for group, arm in np.ndindex(*logits.shape[:2]):
        own = logits[group, arm]
        own = own[np.isfinite(own).all(-1)]
        if len(own) != tested[group]:
            raise ValueError(
                f"{len(own)} rows are predicted where {tested[group]} are tested: "
                "only runs on single utterances can be read"
            )
        view = View(*[nothing] * 5, target_logits=own)
        for word, table in scores.items():
            table[group, arm] = CRITERIA[word](view)
    return {
        word: table.reshape(-1, seeds, table.shape[1]).mean(1)
        for word, table in scores.items()
    }


def pooled_ua(results: Mapping[str, Any], names: Mapping[str, str] | str) -> float:
    """UA in [0, 1] of one candidate, or of that which each fold has, over all folds."""
    seeds: dict[int, np.ndarray] = {}
    for replica in results["replicas"]:
        name = names if isinstance(names, str) else names[replica["fold"]]
        if replica["arm"] == name:
            seed, counts = replica["seed"], np.array(replica["confusion"])
            seeds[seed] = seeds.get(seed, 0) + counts
    return float(np.mean([scores_of_confusion(each)["ua"] for each in seeds.values()]))


def choices(workdir: pathlib.Path) -> dict[str, float]:
    """Way to choose -> UA in [0, 1] of what it takes in each fold of a finished run."""
    results = read_json(workdir / "results.json")
    choice, candidates = results["choice"], results["choice"]["candidates"]
    seeds = len({replica["seed"] for replica in results["replicas"]})
    found: dict[str, list[np.ndarray]] = {word: [] for word in FROM_LOGITS}
    for setting in dict.fromkeys(each["setting"] for each in candidates.values()):
        folder = workdir / SETTINGS / setting
        with np.load(folder / "predictions.npz") as file:
            logits = file["label_logits"]
        replicas = read_json(folder / "results.json")["replicas"]
        tested = [each["n_test"] for each in replicas[:: logits.shape[1]]]
        for word, scores in criterion_table(logits, tested, seeds).items():
            found[word].append(scores)
    names, folds = list(candidates), [fold["fold"] for fold in choice["folds"]]
    ua = {
        "baseline": pooled_ua(results, names[0]),
        f"best fixed: {choice['best_fixed']}": pooled_ua(results, choice["best_fixed"]),
        "held-out training speakers": pooled_ua(results, CHOSEN),
    }
    for word, parts in found.items():
        taken = best(np.concatenate(parts, axis=1))
        of_fold = {f: names[i] for f, i in zip(folds, taken, strict=True)}
        ua[word] = pooled_ua(results, of_fold)
    ua[ORACLE] = choice["oracle"][ORACLE]["ua"]["pooled"]
    return ua


def table(runs: Mapping[str, Mapping[str, float]]) -> str:
    """In Markdown: UA of each way to choose, and how far it is below the oracle."""
    lines = ["| run | chosen by | UA | below the oracle |", "|---|---|---|---|"]
    for run, ways in runs.items():
        for way, ua in ways.items():
            below = f"{100 * (ways[ORACLE] - ua):.1f}"
            lines.append(f"| {run} | {way} | {100 * ua:.1f} | {below} |")
    return "\n".join(lines)


def main(words: Sequence[str]) -> None:
    """Read the runs and print the table."""
    folders = [pathlib.Path(word) for word in words]
    print(table({folder.name: choices(folder) for folder in folders}))


if __name__ == "__main__":
    main(sys.argv[1:])
