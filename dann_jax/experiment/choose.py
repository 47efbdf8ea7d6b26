"""The choice of settings by held-out training speakers: `choose(config, workdir)`.

Every setting is trained twice: on inner folds, in which training speakers of each fold
are held out in turn, and on the folds themselves. In every fold the candidate (a
setting with an arm) with the best inner score is taken, or the plainest that is as
good; the tested speakers score what was taken, and choose nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from etils import epath
from ml_collections import ConfigDict

from dann_jax.evaluation.choice import CHOSEN, Candidates, joined, score_choice
from dann_jax.evaluation.plainest import chosen, inner_scores
from dann_jax.evaluation.summaries import group_counts
from dann_jax.experiment.checks import check_config
from dann_jax.experiment.choose_parts import (
    Part,
    Setting,
    build_settings,
    complete,
    held_out,
)
from dann_jax.experiment.choose_settings import candidate_values, settings_of
from dann_jax.experiment.evaluate import bundle
from dann_jax.experiment.evaluate_again import restored
from dann_jax.experiment.workdir import claim, data_of
from dann_jax.report.exports import write_page
from dann_jax.report.run import with_nan
from dann_jax.tasks.fingerprint import fingerprint
from dann_jax.training.run import Predictions
from dann_jax.training.trackers import MakeTracker
from dann_jax.utils.files import read_json, write_json

_log = logging.getLogger(__name__)

_WHY = {
    "best": "has the best UA on speakers left out",
    "plainest": "is the plainest whose UA on speakers left out is within one standard "
    "error of the best",
}


def choose(
    config: ConfigDict,
    workdir: epath.PathLike,
    *,
    data_parallel: int = 1,
    trackers: Sequence[MakeTracker] = (),
) -> dict[str, Any]:
    """Compare settings and arms as `config.choose` says, or go on with it.

    Args:
      config: with `choose.folds`.
      workdir: of the choice; every setting has an ordinary work directory below it,
        in `settings/NAME`, and beside it `inner/`.
      data_parallel: as in `train_and_evaluate`, which also says what is raised.
      trackers: as there.

    Returns:
      What `results.json` holds: candidates as arms, with `chosen` after the baseline,
      and `choice`.
    """
    workdir = epath.Path(workdir)
    check_config(config)
    configs = settings_of(config)
    for each in configs.values():
        check_config(each)
    settings = build_settings(
        configs,
        workdir,
        folds=config.choose.folds,
        seeds=config.choose.seeds,
        data_parallel=data_parallel,
    )
    first = next(iter(settings.values())).outer
    claim(workdir, config.to_dict(), fingerprint(first.task))
    parts = [part for setting in settings.values() for part in setting]
    _announce(settings, parts)
    predictions = complete(parts, trackers)
    results = _results(config, settings, predictions)
    results["data"] = data_of(workdir)
    recommended = results["choice"]["recommended"]
    _bundle(workdir, settings[recommended["setting"]].outer, recommended, results)
    if jax.process_index() == 0:
        for setting in settings.values():
            write_page(setting.outer.folder)
        write_json(workdir / "results.json", results)
    return results


def _announce(settings: Mapping[str, Setting], parts: list[Part]) -> None:
    """What will be compared, and what it costs."""
    first = next(iter(settings.values()))
    arms, seeds = first.outer.layout.arms, len(first.inner.layout.seeds)
    models = [part.layout.num_groups * len(part.layout.arms) for part in parts]
    _log.info(
        "choosing among %d candidates: %d settings (%s) x %d arms (%s), by %d inner "
        "folds with %d seed%s; %s models and %s steps of a model in all",
        *(len(settings) * len(arms), len(settings), "; ".join(settings), len(arms)),
        *(", ".join(arms), len(first.inner.layout.folds), seeds, "s" * (seeds > 1)),
        *(f"{sum(models):,}", f"{sum(part.work for part in parts):,}"),
    )


def _results(
    config: ConfigDict,
    settings: Mapping[str, Setting],
    predictions: list[Predictions],
) -> dict[str, Any]:
    """`results.json` of the choice, from what its parts predict."""
    inner, outer, kept = [], [], []
    for index, setting in enumerate(settings.values()):
        outside, inside = predictions[2 * index : 2 * index + 2]
        inner.append(held_out(setting.inner, inside))
        kept.append(with_nan(read_json(setting.outer.folder / "results.json")))
        layout, replicas = setting.outer.layout, kept[-1]["replicas"]
        outer.append(Candidates(layout, outside.rows, outside.label_logits, replicas))
    origin, plain = _origin(settings)
    names = [
        f"{each['setting']}: {each['arm']}" if len(settings) > 1 else each["arm"]
        for each in origin
    ]
    task = next(iter(settings.values())).outer.task
    rule, counts = config.choose.get("rule", "best"), np.concatenate(inner, axis=1)
    candidates, speaker = joined(outer).named(names), task.corpus.column("speaker")
    scores = score_choice(
        candidates,
        inner_scores(counts),
        chosen(counts, rule, plain),
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
    choice["recommended"] = _recommended(names[taken], scores, choice)
    head = {key: kept[0][key] for key in ("system", "corpora", "protocol", "labels")}
    transductive = any(found["protocol"]["transductive"] for found in kept)
    head["protocol"] = {**head["protocol"], "transductive": transductive}
    timing = {"train_s": sum(found["timing"]["train_s"] for found in kept)}
    return {**head, **scores, "choice": choice, "timing": timing}


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
    name: str, scores: Mapping[str, Any], choice: Mapping[str, Any]
) -> dict[str, Any]:
    """The candidate for new people, and why, in two sentences."""
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
    return {"candidate": name, **choice["candidates"][name], "why": why}


def _together(scores: Mapping[str, Any]) -> str:
    """The UA of all seeds together in words; empty where there is one."""
    if "averaged" not in scores:
        return ""
    ua = scores["averaged"]["summary"][CHOSEN]["ua"]["pooled"]
    seeds = scores["averaged"]["seeds"]
    return f", or {100 * ua:.1f} % where its {seeds} seeds are averaged"


def _bundle(
    workdir: epath.Path,
    part: Part,
    recommended: Mapping[str, Any],
    results: Mapping[str, Any],
) -> None:
    """The bundle of the recommended candidate, with the scores of the choice."""
    arm = recommended["arm"]
    honest = {
        **results,
        "summary": {arm: results["summary"][CHOSEN]},
        "comparisons": [
            {**entry, "arm": arm}
            for entry in results["comparisons"]
            if entry["arm"] == CHOSEN
        ],
    }
    trained = restored(part.config, part.task, part.layout, part.folder)
    bundle(
        workdir / "bundle",
        part.config,
        part.task,
        part.layout,
        trained.state,
        honest,
        arm=arm,
    )
