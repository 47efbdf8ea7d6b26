"""Dynamic joint adaptation as a config: who is a domain, and when the balance moves."""

import numpy as np
import pytest
from config_steps import Run, load_config, take_steps, tiny, utterances
from runs import write_table

from dann_jax.training.timetable import Timetable

ARMS = ("source_only", "conditional", "dynamic", "equal", "marginal")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two epochs of two steps, of 64 rows of four speakers."""
    source = write_table(tmp_path_factory.mktemp("lu"), utterances(repeats=4))
    config = tiny(load_config("lu2024"), source, **{"batches.batch_size": 32})
    return take_steps(config, 4)


@pytest.mark.slow
def test_the_terms_act_in_their_own_arms(run: Run) -> None:
    assert tuple(run.layout.arms) == ARMS and run.timetable.steps_per_epoch == 2
    moved = run.moved("encoder")
    for arm in ARMS[1:]:
        assert not np.array_equal(moved[arm], moved["source_only"])
    # The balance starts at one half.
    np.testing.assert_allclose(moved["dynamic"], moved["equal"], atol=1e-6)
    assert not np.allclose(moved["marginal"], moved["conditional"], atol=1e-5)


@pytest.mark.slow
def test_only_the_dynamic_balance_is_remembered_and_others_stay(run: Run) -> None:
    assert set(run.states[0].objective) == {"dynamic"}
    for name, mu in (("marginal", 0.0), ("conditional", 1.0), ("equal", 0.5)):
        for metrics in run.metrics:
            np.testing.assert_array_equal(metrics[f"mu/{name}"], mu)


@pytest.mark.slow
def test_the_balance_is_set_at_the_end_of_every_epoch(run: Run) -> None:
    balances = [state.objective["dynamic"] for state in run.states]
    asked = [bool((balance.seen > 0).all()) for balance in balances]
    # What was asked of the classifiers is forgotten when the balance is set.
    seen = [bool(balance.seen.any()) for balance in balances]
    assert seen == [False, True, False, True, False]
    assert asked[1] and asked[3]
    for before, after in ((0, 1), (2, 3)):
        np.testing.assert_array_equal(balances[before].mu, balances[after].mu)
    # By the second epoch the classifiers have learned something.
    assert np.ptp([balances[2].mu, balances[4].mu]) > 0


def test_epochs_of_a_config_are_steps_of_an_objective() -> None:
    timetable = Timetable(steps_per_epoch=3, epochs=5)
    options = {"name": "a", "of_epochs_epochs": 0.1, "b_epochs": 0, "c_epochs": 1.5}
    found = timetable.in_steps(options)
    assert found == {"name": "a", "of_epochs_steps": 1, "b_steps": 0, "c_steps": 4}


@pytest.mark.slow
def test_every_speaker_is_a_domain_and_the_tested_one_too(run: Run) -> None:
    kernels = run.states[0].objective["dynamic"].kernels
    assert kernels.shape[-1] == 4
