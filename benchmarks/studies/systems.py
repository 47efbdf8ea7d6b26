"""The tables of the nine systems, from the runs of `launch/systems.sh`.

    python -m benchmarks.studies.systems WORKDIR
    python -m benchmarks.studies.pages

The first writes what the finished runs below WORKDIR say to docs/systems.json, and
keeps what it has of others; the second writes the tables of the documents.
"""

import argparse
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.studies.numbers import gain_in_points, in_percent, rounded
from benchmarks.timing import table
from dann_jax.utils.files import read_json, write_json
from dann_jax.utils.words import counted

SYSTEMS = pathlib.Path(__file__).parents[2] / "docs" / "systems.json"
METRICS = {
    "wa": "WA",
    "ua": "UA",
    "eer_cosine": "EER, cosine",
    "eer_plda": "EER, PLDA",
    "ccc": "CCC, mean",
    "ccc_valence": "CCC, valence",
    "ccc_activation": "CCC, activation",
    "ccc_dominance": "CCC, dominance",
}
"""What tables show of a run, where it has it; of error rates less is better."""
HEADLINES = {
    "lian2019-choice": ("chosen", "wa"),
    "cai2020": ("dann", "ua"),
    "zhou2018-10": ("class_wise", "ua"),
    "tripathi2018": ("dann", "wa"),
    "tu2019": ("dann", "ua"),
    "wang2020": ("dann", "eer_plda"),
    "latif2022": ("saddi", "ua"),
    "lu2024": ("dynamic", "ua"),
    "li2021": ("all", "ua"),
}
"""Run of each system -> the arm that is the system, and what its claim is about."""


def record_of(workdir: pathlib.Path) -> dict[str, Any]:
    """What is kept of a run; scores and differences as shares.

    Returns:
      `seeds`, `folds`, `arms`: arm -> metric -> score and the ends of its interval,
      `gains`: arm -> metric -> difference to the first arm, its ends, p, p after Holm,
      `by_fold`: fold -> arm -> mean of the seeds in the first metric, and `leaks`, if
      the run has any.
    """
    results = read_json(workdir / "results.json")
    arms = {
        arm: {
            metric: rounded(found[metric]["pooled"], *found[metric]["ci95"])
            for metric in METRICS
            if metric in found
        }
        for arm, found in results["summary"].items()
    }
    gains: dict[str, dict[str, list[float]]] = {}
    for each in results["comparisons"]:
        if each["metric"] in METRICS:
            gains.setdefault(each["arm"], {})[each["metric"]] = rounded(
                each["difference"],
                *each["ci95"],
                each["p_value"],
                each.get("p_corrected", each["p_value"]),
            )
    leaks = results["protocol"].get("allowed_leaks")
    return {
        "seeds": len({each["seed"] for each in results["replicas"]}),
        "folds": len({each["fold"] for each in results["replicas"]}),
        "arms": arms,
        "gains": gains,
        "by_fold": _by_fold(results["replicas"], next(iter(arms.values()))),
        **({"leaks": leaks} if leaks else {}),
    }


def _by_fold(
    replicas: Sequence[Mapping[str, Any]], metrics: Iterable[str]
) -> dict[str, dict[str, float]]:
    metric = next(iter(metrics))
    found: dict[str, dict[str, list[float]]] = {}
    for each in replicas:
        arms = found.setdefault(each["fold"], {})
        arms.setdefault(each["arm"], []).append(each[metric])
    return {
        fold: {arm: rounded(np.mean(scores))[0] for arm, scores in arms.items()}
        for fold, arms in found.items()
    }


def table_of_run(record: Mapping[str, Any]) -> str:
    """Scores of all arms in %, their differences in points, and p after Holm."""
    metrics = list(next(iter(record["arms"].values())))
    head = ["arm"]
    for metric in metrics:
        head += [f"{METRICS[metric]} [95 %]", "paired [95 %]", "p, Holm"]
    lines = []
    for arm, scores in record["arms"].items():
        line = [arm]
        for metric in metrics:
            gain = record["gains"].get(arm, {}).get(metric)
            shown = "" if gain is None else f"{gain[-1]:.2g}"
            line += [in_percent(scores[metric]), gain_in_points(gain), shown]
        lines.append(line)
    sizes = f"{counted(record['seeds'], 'seed')}, {counted(record['folds'], 'fold')}"
    leaks = "".join(f"LEAK: {name}. " for name in record.get("leaks", ()))
    return f"{table(head, lines)}\n\n{leaks}{sizes}; pooled, in %."


def table_of_metrics(record: Mapping[str, Any]) -> str:
    """As `table_of_run`, a line for each metric, without p."""
    (first, scores), *others = record["arms"].items()
    head = ["", f"{first} [95 %]"]
    for arm, _ in others:
        head += [f"{arm} [95 %]", "paired [95 %]"]
    lines = []
    for metric in scores:
        line = [METRICS[metric], in_percent(scores[metric])]
        for arm, own in others:
            gain = record["gains"][arm][metric]
            line += [in_percent(own[metric]), gain_in_points(gain)]
        lines.append(line)
    return table(head, lines)


def table_of_folds(record: Mapping[str, Any]) -> str:
    """The first metric of a run in every fold, in %, means of the seeds."""
    arms, folds = record["arms"], record["by_fold"]
    metric = METRICS[next(iter(next(iter(arms.values()))))]
    lines = [
        [fold, *(f"{100 * scores[arm]:.1f}" for arm in arms)]
        for fold, scores in folds.items()
    ]
    return table([f"{metric} of the fold", *arms], lines)


def table_of_systems(found: Mapping[str, Any]) -> str:
    """Each system's own measure, with and without it."""
    head = ["system", "seeds", "measure, in %", "source-only", "the system", "gain"]
    lines = []
    for run, (arm, metric) in HEADLINES.items():
        if run not in found:
            continue
        record = found[run]
        baseline = next(iter(record["arms"].values()))
        lines.append(
            [
                run.partition("-")[0],
                str(record["seeds"]),
                METRICS[metric] + (" (less is better)" if "eer" in metric else ""),
                in_percent(baseline[metric]),
                in_percent(record["arms"][arm][metric]),
                gain_in_points(record["gains"][arm][metric]),
            ]
        )
    return table(head, lines)


def table_of_labelled_rows(found: Mapping[str, Any]) -> str:
    """UA of zhou2018 by the labelled rows that it has of each class of the target.

    The first arm with its score, the others with their gain over it.
    """
    prefix = "zhou2018-"
    numbers = [run.removeprefix(prefix) for run in found if run.startswith(prefix)]
    lines, arms = [], list[str]()
    for number in sorted(map(int, filter(str.isdigit, numbers))):
        record = found[f"{prefix}{number}"]
        (first, scores), *_ = record["arms"].items()
        gains = {arm: own["ua"] for arm, own in record["gains"].items()}
        shown = [gain_in_points(gain) for gain in gains.values()]
        lines.append([str(number), in_percent(scores["ua"]), *shown])
        arms = [f"{first}: UA [95 %]", *(f"{arm}: paired [95 %]" for arm in gains)]
    return table(["n", *arms], lines)


def main(words: Sequence[str] | None = None) -> None:
    """Write what the finished runs say."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.systems",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("workdir", help="that of launch/systems.sh")
    workdir = pathlib.Path(parser.parse_args(words).workdir)
    found = read_json(SYSTEMS) if SYSTEMS.exists() else {}
    for results in sorted(workdir.glob("*/results.json")):
        found[results.parent.name] = record_of(results.parent)
        print(f"{results.parent.name}: {found[results.parent.name]['seeds']} seeds")
    write_json(SYSTEMS, dict(sorted(found.items())))


if __name__ == "__main__":
    main()
