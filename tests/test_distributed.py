"""Devices of two processes, and several devices for one model, against one device."""

import json
import re
from collections.abc import Iterator

import jax
import numpy as np
import pytest
from few_devices import all_devices as all_devices
from forked import Forked
from processes import job_environments, outcomes
from runs import tiny_config, tiny_corpus, write_table

from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.timetable import Timetable

STEPS = 3
CASES = {"groups": (1, 5), "parts": (8, 1)}
"""Devices for each group of replicas, and how many groups there are."""

CHANGES = {
    "batches.batch_size": 6,
    "batches.num_buckets": 1,
    "encoder.dropout": 0.0,
    "heads.head_dropout": 0.0,
    "optimizer.name": "sgd",
    "optimizer.learning_rate": 0.05,
    "optimizer.schedule": "constant",
}
SMALL = {"encoder.context": False, "data.modalities": ("lexical",)}
COLLECTIVES = (
    r"= (\S+) ((?:all|collective|reduce|ragged)-[a-z-]+|infeed|outfeed|send|recv)"
)


class Steps:
    """A program with the batches of its first steps, on all devices that there are."""

    def __init__(
        self, table: str, case: str, *, devices: int | None = None, **changes: object
    ) -> None:
        parts, seeds = CASES[case]
        config = tiny_config(table, {**CHANGES, "seeds": seeds, **changes})
        task, layout = build_task_and_layout(
            config, data_parallel=parts if devices is None else 1
        )
        if devices is not None:
            layout = ReplicaLayout(
                layout.folds, layout.seeds, layout.arms, make_mesh(devices)
            )
        plan = task.plan(task.protocol.visible())
        timetable = Timetable(plan.steps_per_epoch, **config.timetable)
        # Features that the hosts read, each its own.
        loader = BatchLoader(task.training, plan, layout, shuffle=True, most_bytes=0)
        self.layout = layout
        self.program = compiled(config, task, layout, timetable)
        self.indices = [loader.index_batch(step) for step in range(STEPS)]
        self.batches = [loader.gather_features(index) for index in self.indices]
        self.state = self.program.initial_state(self.batches[0])
        self.strength = layout.put(layout.peak_strength())

    def losses(self) -> Iterator[list]:
        """Of each step, `[groups, arms]`."""
        state = self.state
        for batch in self.batches:
            state, metrics = self.program.train_step(state, batch, self.strength)
            loss = self.layout.get(metrics["loss"])[: self.layout.num_groups]
            yield np.float64(loss).tolist()

    def read(self) -> list[list]:
        """Of each step, the rows that this process reads of each of its own groups."""
        own = self.layout.local_dialogues(self.indices[0].row.shape[1])
        groups = self.layout.reported_group_of[self.layout.local_groups].tolist()
        return [
            [
                (group, np.sort(rows[rows >= 0]).tolist())
                for group, rows in zip(groups, index.row[:, own], strict=True)
            ]
            for index in self.indices
        ]


HOST = """
import json, pathlib, sys
from unittest import mock
import jax
jax.config.update("jax_num_cpu_devices", 4)
jax.distributed.initialize()
from dann_jax.experiment import train
from dann_jax.experiment.run import train_and_evaluate
from runs import tiny_config
from test_distributed import CASES, SMALL, Steps
found = {}
for case in CASES:
    steps = Steps(sys.argv[1], case, **SMALL)
    assert steps.layout.mesh.size == 8 and jax.local_device_count() == 4
    found[case] = {"losses": list(steps.losses()), "read": steps.read()}
changes = {**SMALL, "batches.num_buckets": 1, "seeds": 2,
           "analysis.rows": 60, "analysis.maps": (), "analysis.columns": ("gender",)}
workdir = pathlib.Path(sys.argv[2])
with mock.patch.object(train, "fit", lambda state, **_: state):
    results = train_and_evaluate(tiny_config(sys.argv[1], changes), workdir)
if not jax.process_index():
    assert json.loads((workdir / "analysis.json").read_text())["probes"]
found["summary"] = results["summary"]
print("found:", json.dumps(found))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_table(tmp_path_factory.mktemp("corpus"), tiny_corpus()))


@pytest.fixture(scope="module")
def hosts(table: str, tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """What two processes of four devices each found in every case."""
    found, workdir = [], tmp_path_factory.mktemp("hosts") / "run"
    processes = [
        Forked(HOST, table, workdir, environment=environment)
        for environment in job_environments()
    ]
    for code, out, errors in outcomes(processes):
        assert code == 0, errors
        found.append(json.loads(out.split("found:")[1]))
    return found


@pytest.fixture(scope="module")
def divided(table: str) -> Steps:
    """The whole network on all devices, before its first step."""
    return Steps(table, "parts")


@pytest.fixture(scope="module")
def alone(table: str) -> dict[str, Steps]:
    """Every case on one device, before its first step."""
    return {case: Steps(table, case, devices=1, **SMALL) for case in CASES}


@pytest.mark.slow
def test_two_processes_analyse_what_they_trained(hosts: list[dict]) -> None:
    assert hosts[0]["summary"] == hosts[1]["summary"]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_as_one_device_does(
    case: str, hosts: list[dict], alone: dict[str, Steps]
) -> None:
    losses = list(alone[case].losses())
    assert (np.ptp(losses, axis=0) > 0.01).all()
    for found in hosts:
        np.testing.assert_allclose(found[case]["losses"], losses, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_divide_the_data_among_them(
    case: str, hosts: list[dict], alone: dict[str, Steps]
) -> None:
    for step, whole in enumerate(alone[case].read()):
        shares = [host[case]["read"][step] for host in hosts]
        assert all(shares)
        for group, rows in whole:
            found = [some for share in shares for own, some in share if own == group]
            # Only what fills up the mesh is read twice, and then it is all the same.
            if case == "groups":
                assert rows in found and found == [rows] * len(found)
            else:
                assert sorted(sum(found, [])) == rows
    if case == "groups":
        groups = [group for host in hosts for group, _ in host[case]["read"][0]]
        assert groups == [0, 1, 2, 3, 4, 0, 1, 2]


def test_the_step_of_a_divided_batch_has_one_all_reduce(divided: Steps) -> None:
    steps = divided
    assert steps.layout.data_shards == 8
    text = (
        steps.program.train_step.lower(steps.state, steps.batches[0], steps.strength)
        .compile()
        .as_text()
    )
    found = re.findall(COLLECTIVES, text)
    params = sum(leaf[0, 0].size for leaf in jax.tree.leaves(steps.state.params))
    reduced = [shape for shape, name in found if name == "all-reduce"]
    assert [shape.split("{")[0] for shape in reduced] == [f"f32[{params}]"]
    # Beside it the logits of labels and of the one adversary are gathered.
    assert sorted(name for _, name in found) == [
        "all-gather",
        "all-gather",
        "all-reduce",
    ]


def test_the_step_of_replicas_on_their_own_devices_has_no_collective(
    table: str,
) -> None:
    steps = Steps(table, "groups", **SMALL)
    text = (
        steps.program.train_step.lower(steps.state, steps.batches[0], steps.strength)
        .compile()
        .as_text()
    )
    assert re.findall(COLLECTIVES, text) == []


def test_a_divided_batch_is_evaluated_as_a_whole_one_is(
    divided: Steps, table: str
) -> None:
    of_parts, whole = (
        np.asarray(steps.program.evaluate(steps.state.params, batch).label_logits)
        for steps in (divided, Steps(table, "parts", devices=1))
        for batch in steps.batches[:1]
    )
    np.testing.assert_allclose(of_parts[:, :, :6], whole, atol=1e-5)


# Without a state and with one.
@pytest.mark.parametrize("name", ["coral", "dynamic_joint"])
def test_an_objective_sees_the_whole_of_a_divided_batch(table: str, name: str) -> None:
    changes = SMALL | {"objective.name": name}
    several, one = (
        list(Steps(table, "parts", devices=devices, **changes).losses())
        for devices in (None, 1)
    )
    assert (np.ptp(one, axis=0) > 0.01).all()
    np.testing.assert_allclose(several, one, rtol=1e-5)


def test_an_objective_that_changes_inputs_is_refused(table: str) -> None:
    steps = Steps(table, "parts", **{"objective.name": "mixup"})
    with pytest.raises(ValueError, match="--data_parallel=1"):
        next(steps.losses())


def test_a_normalisation_by_the_batch_is_refused(table: str) -> None:
    with pytest.raises(ValueError, match="--data_parallel=1"):
        Steps(table, "parts", **{"encoder.normalisation.name": "joint"})


def test_devices_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(ValueError, match="8 devices.* groups of 3"):
        make_mesh(parts=3)
