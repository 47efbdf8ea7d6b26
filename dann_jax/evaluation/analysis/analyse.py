"""The whole analysis, from its parts."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from dann_jax.evaluation.analysis.breakdown import breakdown, describe_data
from dann_jax.evaluation.analysis.criteria import criteria_records
from dann_jax.evaluation.analysis.curves import diagnoses
from dann_jax.evaluation.analysis.domains import domain_frequencies
from dann_jax.evaluation.analysis.maps import map_records
from dann_jax.evaluation.analysis.options import probed_columns
from dann_jax.evaluation.analysis.probes import a_distance_records, probe_records
from dann_jax.evaluation.analysis.raters import rater_records
from dann_jax.evaluation.analysis.sample import draw_sample
from dann_jax.evaluation.chosen_folds import tested_by
from dann_jax.evaluation.maps import PROJECTIONS
from dann_jax.training.run import Predictions, Run
from dann_jax.training.state import TrainState


def analyse(
    state: TrainState,
    run: Run,
    predictions: Predictions,
    *,
    results: Mapping[str, Any],
    metrics: Sequence[Mapping[str, float]],
    adversaries: Mapping[str, str],
    columns: Sequence[str] = (),
    rows: int = 600,
    replicas: int = 2,
    maps: Sequence[str] = tuple(PROJECTIONS),
) -> dict[str, Any]:
    """Probes, distances, diagnoses, scores of groups, criteria and maps of a run.

    Args:
      state: of all replicas, after the last step; `best` is what is looked at.
      run: that was trained.
      predictions: what its scores are from, so that nothing is predicted again.
      results: as in `results.json`.
      metrics: the lines of `metrics.jsonl`.
      adversaries: name -> the column that it tells apart.
      columns: what fresh probes look for; by default speaker, corpus,
        language, gender and emotion, as far as there are two values of them.
      rows: that are probed and drawn, at most; 0 for no analysis.
      replicas: so many pairs of a fold and a seed are probed, with all their arms.
      maps: words of `PROJECTIONS`.

    Returns:
      What `analysis.json` holds; empty where `rows` is 0, and in all processes but
      the first.

    Raises:
      ValueError: an unknown column or map.
    """
    if not rows:
        return {}
    task = run.task
    wanted, left_out = probed_columns(task, columns)
    sample = draw_sample(state, run, rows=rows, replicas=replicas)
    if jax.process_index():
        # It has predicted its part of the sample; the first process does the rest.
        return {}
    analysis: dict[str, Any] = {
        "domains": domain_frequencies(task),
        "probes": probe_records(sample, wanted, run),
        "a_distance": a_distance_records(sample, run),
        "probed": sample.names(run.layout),
        "data": describe_data(task),
    }
    if raters := rater_records(task):
        analysis["raters"] = raters
    analysis["diagnoses"] = diagnoses(
        analysis, sample, metrics, adversaries, run.layout
    )
    if "wa" in next(iter(results["summary"].values())):
        predictions, tests = tested_by(task.protocol.rehearsals, predictions, run)
        tested = predictions.label_logits, predictions.rows
        if len(predictions.rows):
            analysis |= breakdown(*tested, tests)
            analysis["selection"] = criteria_records(*tested, sample, tests, results)
        else:
            left_out.append("scores of speakers and groups: no row is tested")
    else:
        left_out.append("scores of speakers and groups: no classes are tested")
    analysis["maps"] = map_records(sample, run, maps)
    return {**analysis, "left_out": left_out}
