"""ADDi and sADDi as a config: who plays in which arm, and with which optimiser."""

import pathlib

import numpy as np
import pytest
from config_steps import Run, load_config, take_steps, tiny, utterances
from runs import write_table

from dann_jax.experiment.run import train_and_evaluate

pytestmark = pytest.mark.slow

ARMS = ("source_only", "addi", "dann", "saddi")
TINY = {
    "heads.generator_hidden": (),
    "batches.batch_size": 16,
    "analysis.rows": 0,
    "objective.pretraining_epochs": 1,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The steps of one epoch of 32 rows and one more."""
    source = write_table(tmp_path_factory.mktemp("latif"), utterances())
    return take_steps(tiny(load_config("latif2022"), source, **TINY), 3)


def test_only_saddi_is_pretrained_and_for_as_long_as_the_config_says(run: Run) -> None:
    assert tuple(run.layout.arms) == ARMS and run.timetable.steps_per_epoch == 2
    for step, pretraining in enumerate([True, True, False]):
        label = run.moved("label_head", step)
        assert all(label[arm].any() for arm in ARMS[:3])
        assert label["saddi"].any() != pretraining
        assert all(change.any() for change in run.moved("encoder", step).values())
    steps = run.states[-1].objective
    np.testing.assert_array_equal(steps, [[0, 0, 0, 3]] * len(steps))


def test_the_generator_reaches_the_encoder_in_its_own_arms_alone(run: Run) -> None:
    moved = run.moved("encoder")
    for arm, other in (("dann", "source_only"), ("addi", "dann"), ("saddi", "addi")):
        assert not np.array_equal(moved[arm], moved[other])
    for part in ("generator", "data_head"):
        # In its first step what reaches it is the same in all arms.
        changes = list(run.moved(part).values())
        for change in changes:
            np.testing.assert_allclose(change, changes[0], atol=1e-6)
        assert changes[0].any()


def test_each_player_has_its_own_optimiser(run: Run) -> None:
    # Adam's first step has the size of the learning rate.
    for part, rate in (("encoder", 3e-3), ("generator", 3e-3), ("data_head", 1e-3)):
        largest = np.abs(run.moved(part)["addi"]).max()
        np.testing.assert_allclose(largest, rate, rtol=1e-3)


def test_a_run_ends_with_a_result_and_is_taken_up_again(tmp_path: pathlib.Path) -> None:
    source = write_table(tmp_path, utterances())
    config = tiny(load_config("latif2022"), source, **TINY)
    results = train_and_evaluate(config, tmp_path / "run")
    assert tuple(results["summary"]) == ARMS
    assert {r["fold"] for r in results["replicas"]} == {"de -> it", "it -> de"}
    again = train_and_evaluate(config, tmp_path / "run")
    assert again["timing"]["resumed_from_step"] == 4
    assert again["summary"] == results["summary"]
