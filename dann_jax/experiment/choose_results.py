"""`results.json` of a choice, from what its parts predict."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from dann_jax.evaluation.choice import CHOSEN, Candidates, joined, score_choice
from dann_jax.evaluation.choice_calibration import choice_calibration
from dann_jax.evaluation.plainest import chosen, inner_scores
from dann_jax.evaluation.scorers.calibrated import Rows, predicted_rows
from dann_jax.evaluation.summaries import group_counts
from dann_jax.experiment.choose_parts import Setting, held_out
from dann_jax.experiment.choose_settings import candidate_values
from dann_jax.report.run import with_nan
from dann_jax.tasks.roles import Role
from dann_jax.training.run import Predictions
from dann_jax.utils.files import read_json

_WHY = {
    "best": "has the best UA on speakers left out",
    "plainest": "is the plainest whose UA on speakers left out is within one standard "
    "error of the best",
}


def choice_results(
    config: ConfigDict,
    settings: Mapping[str, Setting],
    predictions: list[Predictions],
) -> dict[str, Any]:
    """`results.json` of the choice, but for `data`.

    Args:
      config: of the choice.
      settings: as from `build_settings`.
      predictions: of the outer and the inner training of each, in turn.
    """
    inner, outer, kept = [], [], []
    for index, setting in enumerate(settings.values()):
        outside, inside = predictions[2 * index : 2 * index + 2]
        inner.append(held_out(setting.inner, inside))
        kept.append(with_nan(read_json(setting.outer.folder / "results.json")))
        layout, replicas = setting.outer.layout, kept[-1]["replicas"]
        outer.append(Candidates(layout, outside.rows, _logits(outside), replicas))
    origin, plain = _origin(settings)
    names = [
        f"{each['setting']}: {each['arm']}" if len(settings) > 1 else each["arm"]
        for each in origin
    ]
    task = next(iter(settings.values())).outer.task
    rule, counts = config.choose.get("rule", "best"), np.concatenate(inner, axis=1)
    candidates, speaker = joined(outer).named(names), task.corpus.column("speaker")
    choices = chosen(counts, rule, plain)
    scores = score_choice(
        candidates,
        inner_scores(counts),
        choices,
        task.protocol,
        speaker,
    )
    choice = scores["choice"] | {
        "candidates": dict(zip(names, origin, strict=True)),
        "settings": candidate_values(config),
        "inner_folds": config.choose.folds,
        "rule": rule,
    }
    # For new people all of the corpus chooses, in the same way.
    everybody = group_counts(
        candidates.logits,
        candidates.rows,
        speaker,
        task.protocol,
        candidates.layout,
    )
    (taken,) = chosen(everybody.sum(0, keepdims=True), rule, plain)
    taken_run = kept[[*settings].index(origin[taken]["setting"])]
    unenrolled = taken_run.get("unenrolled", {}).get(origin[taken]["arm"], {})
    choice["recommended"] = _recommended(names[taken], scores, choice, unenrolled)
    calibration = choice_calibration(
        *_rows(settings, candidates, predictions), names, choices, taken
    )
    head = {key: kept[0][key] for key in ("system", "corpora", "protocol", "labels")}
    transductive = any(found["protocol"]["transductive"] for found in kept)
    head["protocol"] = {**head["protocol"], "transductive": transductive}
    timing = {"train_s": sum(found["timing"]["train_s"] for found in kept)}
    return {
        **head,
        "cautions": kept[0].get("cautions", {}),
        **scores,
        **({"unenrolled": {names[taken]: unenrolled}} if unenrolled else {}),
        "choice": choice,
        "calibration": calibration,
        "timing": timing,
    }


def _rows(
    settings: Mapping[str, Setting],
    candidates: Candidates,
    predictions: list[Predictions],
) -> tuple[Rows, Rows]:
    """What all candidates predict: tested rows, and those that inner folds hold out."""
    first = next(iter(settings.values()))
    outside = Predictions(candidates.rows, label_logits=candidates.logits)
    logits = np.concatenate([_logits(inside) for inside in predictions[1::2]], axis=1)
    inside = predictions[1]._replace(label_logits=logits)
    tested, held = (
        predicted_rows(
            found,
            part.task.protocol.roles == Role.TEST,
            part.task.protocol,
            part.layout,
            part.task.corpus.column("speaker"),
        )
        for found, part in ((outside, first.outer), (inside, first.inner))
    )
    assert first.inner.outer is not None
    return tested, held._replace(fold=first.inner.outer[held.fold])


def _logits(predictions: Predictions) -> np.ndarray:
    assert predictions.label_logits is not None
    return predictions.label_logits


def _origin(
    settings: Mapping[str, Setting],
) -> tuple[list[dict[str, str]], list[tuple[int, int]]]:
    """Setting and arm of every candidate, and how far it is from plain."""
    origin, plain = [], []
    for index, (name, setting) in enumerate(settings.items()):
        for arm, strengths in setting.outer.layout.arms.items():
            origin.append({"setting": name, "arm": arm})
            plain.append((index, np.count_nonzero([*strengths.values()])))
    return origin, plain


def _recommended(
    name: str,
    scores: Mapping[str, Any],
    choice: Mapping[str, Any],
    unenrolled: Mapping[str, Any],
) -> dict[str, Any]:
    """The candidate for new people, and why, in two sentences; a third if it enrols."""
    fixed, honest = (scores["summary"][arm]["ua"] for arm in (name, CHOSEN))
    times = sum(fold["candidate"] == name for fold in choice["folds"])
    low, high = (100 * end for end in honest["ci95"])
    why = [
        f"For a new person the bundle has {name}: of {len(choice['candidates'])} "
        f"candidates it {_WHY[choice['rule']]}, "
        f"{100 * fixed['pooled']:.1f} %, and the inner folds chose it in {times} of "
        f"{len(choice['folds'])} folds.",
        f"That UA chose and so flatters; what to expect of a person whose labels chose "
        f"nothing is the UA of {CHOSEN!r}, {100 * honest['pooled']:.1f} % "
        f"[{low:.1f}, {high:.1f}]{_together(scores)}.",
    ]
    if unenrolled:
        why.append(
            f"Both suppose that all of a person's recordings standardise their "
            f"features (dann-predict --speakers or --enrol); of people who are not "
            f"enrolled {name} has a UA of {100 * unenrolled['ua']['pooled']:.1f} %."
        )
    return {"candidate": name, **choice["candidates"][name], "why": why}


def _together(scores: Mapping[str, Any]) -> str:
    """The UA of all seeds together in words; empty where there is one."""
    if "averaged" not in scores:
        return ""
    ua = scores["averaged"]["summary"][CHOSEN]["ua"]["pooled"]
    seeds = scores["averaged"]["seeds"]
    return f", or {100 * ua:.1f} % where its {seeds} seeds are averaged"
