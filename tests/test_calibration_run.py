"""A run of one fold: its temperature comes from validation rows, or from nowhere."""

import pathlib

import numpy as np
import pytest
from runs import tiny_config, tiny_corpus, write_table

from dann_jax.bundle import load_bundle
from dann_jax.experiment.run import train_and_evaluate

pytestmark = pytest.mark.slow

# A GRU takes long to compile and changes nothing here.
SMALL = {"encoder.context": False, "batches.num_buckets": 1}


def test_validation_rows_fit_where_there_is_one_fold(tmp_path: pathlib.Path) -> None:
    config = tiny_config(write_table(tmp_path, tiny_corpus()), SMALL)
    found = train_and_evaluate(config, tmp_path / "run")["calibration"]
    assert found["fitted_on"] == "validation rows"
    for record in found["arms"].values():
        ((temperature,),) = record["temperature"]
        assert record["temperature_of_all"] == [temperature]
        assert np.isfinite([record["before"]["ece"], record["after"]["ece"]]).all()
    dann = found["arms"]["dann"]["temperature_of_all"][0]
    assert load_bundle(tmp_path / "run").description.temperature == dann != 1.0


def test_without_them_it_is_not_measured_and_says_what_to_set(
    tmp_path: pathlib.Path,
) -> None:
    changes = SMALL | {"protocol.validation_folds": 0, "selection": "last"}
    config = tiny_config(write_table(tmp_path, tiny_corpus()), changes)
    found = train_and_evaluate(config, tmp_path / "run")["calibration"]
    assert found["fitted_on"] == ""
    assert "--config.protocol.validation_folds=5" in found["not_measured"]
    assert set(found["arms"]["dann"]) == {"before", "coverage"}
    assert load_bundle(tmp_path / "run").description.temperature == 1.0
