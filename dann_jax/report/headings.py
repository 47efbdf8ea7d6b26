"""What stands over and under the tables of a result."""

from collections.abc import Mapping
from typing import Any

from dann_jax.evaluation.unsupervised import ORACLE, described_choice
from dann_jax.evaluation.verdicts import is_error
from dann_jax.tasks.oracle import leak_notes

LEGEND = (
    "WA: share of the rows that are right. UA: mean recall of the classes. Mean over "
    "folds ± standard deviation over seeds; pooled: all tested rows together."
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
"""What tables call a metric of `results.json`."""


def title_of(metric: str) -> str:
    """What tables call a metric, of one target or of none.

    Example:
      >>> title_of("ua"), title_of("ccc_valence")
      ('UA', 'CCC valence')
    """
    if metric in TITLES:
        return TITLES[metric]
    measure, _, target = metric.partition("_")
    return f"{TITLES[measure]} {target}"


def headline(results: Mapping[str, Any]) -> tuple[str, str]:
    """The two metrics that stand for a result.

    Example:
      >>> headline({"summary": {"dann": {"wa": {}, "ua": {}}}})
      ('wa', 'ua')
    """
    found = next(iter(results["summary"].values()))
    if "ccc" in found:
        return ("pearson", "ccc")
    return ("wa", "ua") if "wa" in found else ("eer_cosine", "eer_plda")


def shown_metrics(results: Mapping[str, Any]) -> list[str]:
    """The metrics of a result that tables have a title for, in their order."""
    found = next(iter(results["summary"].values()))
    return [name for name in TITLES if name in found]


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
    """What has to be known of a result, without its leaks."""
    protocol = results["protocol"]
    found = [
        _counted(results, "fold"),
        _counted(results, "seed"),
        "transductive: test rows are seen in training without their labels"
        if protocol["transductive"]
        else "inductive: test rows are not seen in training",
        f"selection: {described_choice(protocol['selection'])}",
    ]
    if is_error(headline(results)[0]):
        found.append("error rates in %: lower is better")
    if results.get("targets"):
        found.append("CCC and r in %, RMSE in the unit of the ratings")
    return found


def distinct(results: Mapping[str, Any], word: str) -> int:
    """How many folds or seeds (`fold` or `seed`) there are."""
    return len({replica[word] for replica in results["replicas"]})


def _counted(results: Mapping[str, Any], word: str) -> str:
    count = distinct(results, word)
    return f"{count} {word}{'s' * (count != 1)}"


def title(results: Mapping[str, Any]) -> str:
    """The system and what it learned from."""
    return f"{results['system']} on {', '.join(results['corpora'])}"


def heading(results: Mapping[str, Any]) -> str:
    """Title, protocol, notes, and the leaks in capitals."""
    protocol, found = results["protocol"], notes(results)
    found += leak_notes(protocol["allowed_leaks"])
    return f"{title(results)}, {protocol['name']} ({'; '.join(found)})"


def comparison_rule(results: Mapping[str, Any]) -> str:
    """How the verdicts and the p of a result come about, once for all of them."""
    folds, seeds = (distinct(results, name) for name in ("fold", "seed"))
    over = "speakers and seeds" if seeds > 1 else "the speakers of one seed"
    said = f"Better or worse: the interval, over {over}, excludes 0."
    if headline(results)[0].startswith("eer"):
        return f"{said} p comes from the same draws as the interval."
    unit, count = ("folds", folds) if folds > 1 else ("seeds", seeds)
    if count < 2:
        return f"{said} There is no p of a single training."
    return (
        f"{said} p swaps the names of the arms within {unit}; of {count} it cannot be "
        f"below {2.0 ** (1 - count):.2g}. Better or worse with a p above .05 is a hint."
    )
