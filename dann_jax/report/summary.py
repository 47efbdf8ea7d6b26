"""What a run found, in sentences for the head of its page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dann_jax.evaluation.verdicts import CHOSEN, is_error, scale_of
from dann_jax.report.headings import headline, title_of
from dann_jax.report.run import RunFiles
from dann_jax.report.table import Number
from dann_jax.report.tables import domain_probe, probed
from dann_jax.utils.words import and_listed

MOST_ARMS = 4
"""More arms than this are not listed: the baseline and the best one are named."""

_HIDDEN, _FOUND = 0.05, 0.2
"""Of the way from chance to always right: below the first a domain is hidden, above
the second it is not, as in `evaluation.diagnosis`."""


def score_sentence(results: Mapping[str, Any]) -> str:
    """The main score of every arm, or of the baseline and the best arm.

    Args:
      results: as in `results.json`.

    Example:
      >>> summary = {"plain": {"wa": {}, "ua": {"pooled": 0.5}}}
      >>> score_sentence({"summary": summary})
      'UA of all tested rows: plain 50.0 %.'
    """
    metric = headline(results)[-1]
    scores = {arm: own[metric]["pooled"] for arm, own in results["summary"].items()}
    scores = {arm: score for arm, score in scores.items() if not math.isnan(score)}
    if not scores:
        return ""
    scale = scale_of(metric)
    words = {arm: f"{Number(x, scale=scale, digits=1)} %" for arm, x in scores.items()}
    shown, rest = list(scores), ""
    if len(shown) > MOST_ARMS:
        chosen = [CHOSEN] if "choice" in results else []
        rivals = [arm for arm in scores if arm not in chosen]
        best = (min if is_error(metric) else max)(rivals, key=scores.__getitem__)
        # What cannot be told apart here is not told apart.
        equal = [arm for arm in rivals if words[arm] == words[best]]
        shown = list(dict.fromkeys([shown[0], *chosen, equal[0]]))
        kind = "candidates, in hindsight" if chosen else "arms"
        rest = f"; {_several(equal)} the best of {len(rivals)} {kind}"
    told = ", ".join(f"{arm} {words[arm]}" for arm in shown)
    return f"{title_of(metric)} of all tested rows: {told}{rest}."


def _several(names: Sequence[str]) -> str:
    """Names with their verb; of more than three the first two."""
    if len(names) > 3:
        names = [*names[:2], f"{len(names) - 2} more"]
    return f"{and_listed(names)} {'is' if len(names) == 1 else 'are equally'}"


def hiding_sentence(run: RunFiles) -> str:
    """Whether the adversary of the main arm has hidden its domain, by a fresh probe.

    Empty where no adversary is known to work against what the probe looks for.
    """
    column, arms = probed(run.results), run.arms
    adversaries = run.config.get("adversaries", {})
    against = {name for name, own in adversaries.items() if own.get("column") == column}
    strengths = run.config.get("arms", {})
    rivals = {arm: arm for arm in arms}
    if choice := run.results.get("choice"):
        taken = choice["recommended"]
        rivals = {taken["candidate"]: taken["arm"]}
    hiding = [
        name
        for name, arm in rivals.items()
        if any(strengths.get(arm, {}).get(n) for n in against)
    ]
    if not hiding or not all("domain_probe" in r for r in run.results["replicas"]):
        return ""
    arm = "dann" if "dann" in hiding else hiding[-1]
    number, before = (domain_probe(run.results, name) for name in (arm, arms[0]))
    chance = number.chance or 0.0
    above = (number.value - chance) / (1.0 - chance) if chance < 1.0 else math.nan
    if math.isnan(above):
        return ""
    word = "not hidden" if above > _FOUND else "hidden"
    word = "partly hidden" if _HIDDEN <= above <= _FOUND else word
    if above < -_HIDDEN:
        word = "below chance, so the probe has failed to learn: no proof of hiding"
    compared = f"; {100 * before.value:.0f} % with {arms[0]}" if arm != arms[0] else ""
    return (
        f"A fresh probe {'still finds' if above > _FOUND else 'finds'} the {column} in "
        f"{100 * number.value:.0f} % of the rows with {arm} (chance "
        f"{100 * chance:.0f} %{compared}): {word}."
    )
