"""From finished runs of the study to the few numbers that are kept of it.

Within a corpus, p-values are corrected by Holm's procedure over all of its cells and
arms. Over corpora, gains are combined by a random-effects model: the variance between
corpora by Paule and Mandel (1982), the interval by Hartung and Knapp (2001), as
statsmodels has them; Student's t over so few corpora makes it wide, as it should be.
"""

import dataclasses
import pathlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from benchmarks.studies.adversary_cells import Cell
from benchmarks.studies.numbers import DECIMALS, rounded
from dann_jax.utils.files import read_json

PROBE = "logistic", "network"


def record_of(cell: Cell, workdirs: Sequence[pathlib.Path]) -> dict[str, Any]:
    """What is kept of the runs of one cell, rounded; accuracies and UA in [0, 1].

    Returns:
      The words of the cell; `seeds`; `label_shift` between domains in [0, 1]; `ua`,
      arm -> pooled UA and the ends of its interval; `gain`, arm -> difference to the
      source-only of its run, its ends and p; `probe`, kind -> arm -> accuracy of a
      fresh probe for the domain, and `chance`.

    Raises:
      ValueError: source-only, of which each run has its own, differs between them.
    """
    ua: dict[str, list[float]] = {}
    gain: dict[str, list[float]] = {}
    probes: list[dict[str, Any]] = []
    for workdir in workdirs:
        results = read_json(workdir / "results.json")
        for arm, scores in results["summary"].items():
            found = rounded(scores["ua"]["pooled"], *scores["ua"]["ci95"])
            if not np.allclose(ua.setdefault(arm, found), found, atol=0.005):
                raise ValueError(f"{workdir}: UA of {arm} is {found}, not {ua[arm]}")
        gain |= {
            each["arm"]: rounded(each["difference"], *each["ci95"], each["p_value"])
            for each in results["comparisons"]
            if each["metric"] == "ua"
        }
        analysis = read_json(workdir / "analysis.json")
        probes += [each for each in analysis["probes"] if each["place"] == "encoder"]
    column = next(iter(analysis["domains"]))
    return {
        **dataclasses.asdict(cell),
        "seeds": len({each["seed"] for each in results["replicas"]}),
        "folds": len({each["fold"] for each in results["replicas"]}),
        "label_shift": round(analysis["domains"][column]["label_shift"], DECIMALS),
        "ua": ua,
        "gain": gain,
        "probe": {
            kind: {
                each["arm"]: round(each["accuracy"], DECIMALS)
                for each in probes
                if each["probe"] == kind
            }
            for kind in PROBE
        },
        "chance": round(float(np.mean([each["chance"] for each in probes])), DECIMALS),
    }


def summarise(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Records with corrected p-values, and what holds over corpora.

    Returns:
      `cells`, the records, each gain with a fourth number, p after Holm within its
      corpus; `over_corpora`, for each arm of each kind of cell that two corpora or more
      have; `relations`, see `_relations`.
    """
    records = [dict(record) for record in records]
    for corpus in {record["corpus"] for record in records}:
        _correct([record for record in records if record["corpus"] == corpus])
    kinds = defaultdict(list)
    for record in records:
        for arm in record["gain"]:
            kind = (record["features"], record["standardised"], record["mode"], arm)
            kinds[kind].append(record)
    combined = [
        {
            **dict(zip(("features", "standardised", "mode", "arm"), kind, strict=True)),
            **combine([record["gain"][kind[-1]] for record in of_kind]),
        }
        for kind, of_kind in kinds.items()
        if len(of_kind) > 1
    ]
    return {
        "cells": records,
        "over_corpora": combined,
        "relations": _relations(records),
    }


def _correct(records: Sequence[dict[str, Any]]) -> None:
    """Append p after Holm to every gain of a corpus."""
    places = [(record, arm) for record in records for arm in record["gain"]]
    if not places:
        return
    p_values = [record["gain"][arm][3] for record, arm in places]
    corrected = multipletests(p_values, method="holm")[1]
    for (record, arm), p_value in zip(places, corrected, strict=True):
        gain = record["gain"][arm]
        record["gain"] = record["gain"] | {arm: [*gain[:4], *rounded(p_value)]}


def combine(gains: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Random-effects mean of gains `(difference, low, high, ...)` of several corpora.

    Returns:
      `corpora`, how many; `mean` and its `ci95`; `tau`, the standard deviation between
      corpora.

    Example:
      >>> found = combine([(0.04, 0.03, 0.05), (0.06, 0.05, 0.07)])
      >>> found["mean"], found["ci95"]
      (0.05, [-0.07706, 0.17706])
    """
    table = np.array([gain[:3] for gain in gains])
    # An interval that is a point has no place in a weighted mean.
    variance = np.maximum((table[:, 2] - table[:, 1]) / (2 * 1.96), 1e-4) ** 2
    found = combine_effects(
        table[:, 0], variance, method_re="iterated", use_t=True, alpha=0.05
    )
    # The last of four is that of random effects by Hartung and Knapp.
    ends = found.conf_int()[-1]
    return {
        "corpora": len(gains),
        "mean": round(float(found.mean_effect_re), DECIMALS),
        "ci95": rounded(*ends),
        "tau": round(float(np.sqrt(found.tau2)), DECIMALS),
    }


def _relations(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rank correlations over cells of the gain of `dann` with what might explain it.

    With the label shift between domains, with how well a fresh probe finds the domain
    without an adversary, with how much less it finds it with one, and, over the
    transductive cells of features as they are, with what standardising gains.
    """
    rows = [record for record in records if "dann" in record["gain"]]
    gain = {_key(record): record["gain"]["dann"][0] for record in rows}
    standardised = {
        (record["corpus"], record["features"]): record["ua"]["source_only"][0]
        for record in records
        if record["standardised"] == "speaker"
    }
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for record in rows:
        own, probe = gain[_key(record)], record["probe"]["network"]
        pairs["label_shift"].append((record["label_shift"], own))
        pairs["probe"].append((probe["source_only"], own))
        pairs["probe_drop"].append((probe["source_only"] - probe["dann"], own))
        rival = standardised.get((record["corpus"], record["features"]))
        plain = record["standardised"] == "none" and record["mode"] == "transductive"
        if plain and rival is not None:
            worth = rival - record["ua"]["source_only"][0]
            pairs["standardising"].append((worth, own))
    return {
        name: {"cells": len(table), "spearman": _rank_correlation(table)}
        for name, table in pairs.items()
    }


def _key(record: dict[str, Any]) -> tuple[str, ...]:
    names = [field.name for field in dataclasses.fields(Cell)]
    return tuple(record[name] for name in names)


def _rank_correlation(table: Sequence[tuple[float, float]]) -> float | None:
    """None where there are too few cells, or all are alike."""
    one, other = np.array(table).T
    if len(table) < 4 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return round(float(spearmanr(one, other).statistic), 2)
