"""Training stops where held-out training speakers are served no better any more."""

import json
import pathlib

import numpy as np
import pytest
from runs import tiny_config, tiny_corpus, write_table

from dann_jax.experiment.run import train_and_evaluate
from dann_jax.training.timetable import Timetable


def test_patience_is_that_of_the_replica_that_rose_last() -> None:
    timetable = Timetable(5, 100, evaluate_every=2, patience=3)
    assert not timetable.patience_ends(59, np.array([[10, 30]]))
    assert timetable.patience_ends(60, np.array([[10, 30]]))
    assert not Timetable(5, 100).patience_ends(500, np.array([5]))


@pytest.mark.slow
def test_a_run_stops_early_and_is_found_finished(tmp_path: pathlib.Path) -> None:
    # At this rate nothing changes for the better for long.
    changes = {
        "encoder.context": False,
        "batches.num_buckets": 1,
        "timetable.epochs": 40,
        "timetable.patience": 1,
        "optimizer.learning_rate": 0.3,
    }
    config = tiny_config(write_table(tmp_path, tiny_corpus()), changes)
    work = tmp_path / "run"
    results = train_and_evaluate(config, work)
    lines = (work / "metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line)["epoch"] for line in lines]
    assert max(epochs) < 40
    # The same call takes no further step and ends with the same numbers.
    again = train_and_evaluate(config, work)
    assert again["replicas"] == results["replicas"]
    assert len((work / "metrics.jsonl").read_text().splitlines()) == len(epochs)
