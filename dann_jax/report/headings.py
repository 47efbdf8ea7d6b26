"""Titles, headings and legends of the tables of a run."""

from collections.abc import Mapping
from typing import Any

from dann_jax.evaluation.unsupervised import ORACLE, described_choice
from dann_jax.evaluation.verdicts import is_error
from dann_jax.tasks.oracle import leak_notes
from dann_jax.utils.words import counted

MEASURES = "WA: share of the rows that are right. UA: mean recall of the classes."
LEGEND = (
    f"{MEASURES} Mean over folds ± standard deviation over seeds; pooled: all tested "
    f"rows together."
)
"""Under a table of emotions."""


TITLES = {
    "wa": "WA",
    "ua": "UA",
    "macro_f1": "F1",
    "eer_cosine": "EER, cosine",
    "min_dcf_cosine": "minDCF, cosine",
    "eer_plda": "EER, PLDA",
    "min_dcf_plda": "minDCF, PLDA",
    "pearson": "r",
    "ccc": "CCC",
    "rmse": "RMSE",
}
"""Metric of `results.json` -> its title in tables."""


def title_of(metric: str) -> str:
    """Title of a metric in tables, with its target if it has one.

    Example:
      >>> title_of("ua"), title_of("ccc_valence")
      ('UA', 'CCC valence')
    """
    if metric in TITLES:
        return TITLES[metric]
    measure, _, target = metric.partition("_")
    return f"{TITLES[measure]} {target}"


def headline(results: Mapping[str, Any]) -> tuple[str, str]:
    """The two main metrics of a run.

    Example:
      >>> headline({"summary": {"dann": {"wa": {}, "ua": {}}}})
      ('wa', 'ua')
    """
    metrics = next(iter(results["summary"].values()))
    if "ccc" in metrics:
        return ("pearson", "ccc")
    return ("wa", "ua") if "wa" in metrics else ("eer_cosine", "eer_plda")


def marked(name: str, results: Mapping[str, Any]) -> str:
    """The name of a run, and the leaks that it allows.

    Example:
      >>> marked("a", {"protocol": {"allowed_leaks": ["oracle"]}})
      'a (LEAK: oracle)'
    """
    protocol = results["protocol"]
    leaks = list(protocol["allowed_leaks"])
    if protocol.get("selection") == ORACLE:
        leaks.append("selection by test labels")
    return f"{name} (LEAK: {', '.join(leaks)})" if leaks else name


def notes(results: Mapping[str, Any]) -> list[str]:
    """Folds, seeds, protocol and selection of a run; without its leaks."""
    protocol = results["protocol"]
    lines = [
        _folds(results),
        counted(distinct(results, "seed"), "seed"),
        "transductive: test rows are seen in training without their labels"
        if protocol["transductive"]
        else "inductive: test rows are not seen in training",
        f"selection: {described_choice(protocol['selection'])}",
    ]
    if is_error(headline(results)[0]):
        lines.append("error rates in %: lower is better")
    if results.get("targets"):
        lines.append("CCC and r in %, RMSE in the unit of the ratings")
    return lines


def _folds(results: Mapping[str, Any]) -> str:
    target = results.get("target")
    if not target:
        return counted(distinct(results, "fold"), "fold")
    rest = "and the target" if "summary" in target else "and the target, not scored"
    return f"{len(scored_folds(results))} groups of source speakers held out, {rest}"


def scored_folds(results: Mapping[str, Any]) -> set[str]:
    """The folds that the scores of the arms are of: not that of a target."""
    target = results.get("target", {}).get("fold")
    return {replica["fold"] for replica in results["replicas"]} - {target}


def distinct(results: Mapping[str, Any], name: str) -> int:
    """How many folds or seeds (`fold` or `seed`) there are."""
    return len({replica[name] for replica in results["replicas"]})


def title(results: Mapping[str, Any]) -> str:
    """The system and its corpora."""
    return f"{results['system']} on {', '.join(results['corpora'])}"


def heading(results: Mapping[str, Any]) -> str:
    """Title, protocol, notes, and the leaks in capitals."""
    protocol, lines = results["protocol"], notes(results)
    lines += leak_notes(protocol["allowed_leaks"])
    return f"{title(results)}, {protocol['name']} ({'; '.join(lines)})"


def least_p(results: Mapping[str, Any]) -> float:
    """The smallest p that a permutation test over the run's folds can have.

    Over its seeds where there is one fold; 1 of a single training.

    Example:
      >>> fold = [{"fold": name, "seed": 0} for name in "abcd"]
      >>> least_p({"replicas": fold})
      0.125
    """
    folds = len(scored_folds(results))
    return 2.0 ** (1 - (folds if folds > 1 else distinct(results, "seed")))


def comparison_rule(results: Mapping[str, Any]) -> str:
    """How the verdicts and p-values of a run are computed."""
    folds, seeds = len(scored_folds(results)), distinct(results, "seed")
    over = "speakers and seeds" if seeds > 1 else "the speakers of one seed"
    rule = f"Better or worse: the interval, over {over}, excludes 0."
    if headline(results)[0].startswith("eer"):
        return f"{rule} p: from the same bootstrap draws as the interval."
    unit, count = ("folds", folds) if folds > 1 else ("seeds", seeds)
    if count < 2:
        return f"{rule} A single training gives no p."
    return (
        f"{rule} p: permutation test over {unit}; with {count} {unit} the smallest "
        f"possible value is {least_p(results):.3g}. Better or worse with a p above .05 "
        f"(after correction, where several arms are compared) is a hint only."
    )
