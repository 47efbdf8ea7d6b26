"""Scores of people who are not enrolled, of a run that standardises by speaker."""

import pathlib

import numpy as np
import pytest
from runs import tiny_config, tiny_corpus, write_table

from dann_jax.bundle import load_bundle
from dann_jax.evaluation.strangers import as_strangers, unenrolled_scores
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.report.tables import result_table
from dann_jax.training.run import Run

# A GRU takes long to compile and changes nothing here.
SMALL = {"encoder.context": False, "batches.num_buckets": 1}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("strangers"), tiny_corpus())


def test_strangers_have_the_statistics_of_no_person(source: pathlib.Path) -> None:
    config = tiny_config(source, SMALL | {"data.standardise_by": "speaker"})
    task, layout = build_task_and_layout(config)
    nobody = as_strangers(Run(task, layout, None)).task
    for mean, _ in task.evaluation.standardiser.values():
        assert (nobody.evaluation.feature_domain == mean.shape[1] - 1).all()
    # Training is as it was.
    assert nobody.training is task.training
    assert (task.training.feature_domain < mean.shape[1] - 1).all()


def test_a_run_that_standardises_everybody_alike_has_none(source: pathlib.Path) -> None:
    task, layout = build_task_and_layout(tiny_config(source, SMALL))
    assert unenrolled_scores(None, Run(task, layout, None)) == {}


@pytest.mark.slow
def test_they_are_measured_told_and_kept_in_the_bundle(
    source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    config = tiny_config(source, SMALL | {"data.standardise_by": "speaker"})
    results = train_and_evaluate(config, tmp_path / "run")
    found = results["unenrolled"]
    assert list(found) == list(results["summary"])
    for arm, scores in found.items():
        assert set(scores) == {"wa", "ua"}
        assert np.isfinite(scores["ua"]["pooled"])
        assert f"{arm} {100 * scores['ua']['pooled']:.1f}" in result_table(results)
    kept = load_bundle(tmp_path / "run").description.measured["unenrolled"]
    assert kept == found["dann"]
