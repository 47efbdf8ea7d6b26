"""What `import dann_jax` brings along, and what it offers."""

import ast
import inspect
import json
import pathlib
import subprocess
import sys

import pytest

import dann_jax

HEAVY = ("tensorflow", "tensorflow_datasets", "librosa")
LATE = (*HEAVY, "sklearn", "scipy.stats", "pandas", "orbax.checkpoint", "matplotlib")
"""What a first train step does not wait for."""


def attributes_with_docstring(module: object) -> set[str]:
    """Names that are assigned in a module with a string right below."""
    body = ast.parse(inspect.getsource(module)).body
    found = set()
    for statement, below in zip(body, body[1:], strict=False):
        if isinstance(statement, ast.Assign) and isinstance(below, ast.Expr):
            assert isinstance(below.value, ast.Constant)
            found |= {target.id for target in statement.targets}
    return found


def imported_by(program: str, names: tuple[str, ...]) -> list[str]:
    """Those of the modules that a new process has imported after the program."""
    found = f"print(json.dumps([name for name in {names!r} if name in sys.modules]))"
    ended = subprocess.run(
        [sys.executable, "-c", f"import json, sys\n{program}\n{found}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=dann_jax.__path__[0] + "/..",
        timeout=120,
    )
    return json.loads(ended.stdout)


def test_importing_the_library_imports_nothing_heavy() -> None:
    everything = "from dann_jax import *"  # Only that looks all names up.
    assert imported_by(everything, HEAVY) == []


def test_a_first_train_step_waits_for_nothing_that_only_results_need() -> None:
    """The command, and all that happens in it before the first batch is trained on."""
    program = """
from dann_jax.cli import train
from dann_jax.experiment.config import base_config
from dann_jax.experiment import run, train
from dann_jax.experiment.build import build_task_and_layout
def stop(*arguments, **options): raise KeyboardInterrupt
train.fit = stop
config = base_config()
config.data.source = "synthetic"
config.protocol.split = "leave_one_out"
config.protocol.split_args = {"column": "session"}
config.encoder.width = 4
import tempfile
with tempfile.TemporaryDirectory() as folder:
    try: run.train_and_evaluate(config, folder + "/run")
    except KeyboardInterrupt: pass
    else: raise AssertionError("it did not come to training")
"""
    assert imported_by(program, LATE) == []


def test_a_folder_of_that_name_beside_a_script_does_not_hide_the_package(
    tmp_path: pathlib.Path,
) -> None:
    """Such as a checkout, in whose parent somebody works."""
    (tmp_path / "dann_jax").mkdir()
    (tmp_path / "script.py").write_text("import dann_jax; print(dann_jax.UNKNOWN)")
    ended = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ended.stdout == "-1\n"


def test_public_names_are_sorted_and_unique() -> None:
    assert sorted(set(dann_jax.__all__)) == sorted(dann_jax.__all__)
    assert dann_jax.__version__


@pytest.mark.parametrize("name", dann_jax.__all__)
def test_a_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(dann_jax, name)
    if inspect.ismodule(value):
        assert value.__doc__
        return
    if inspect.isclass(value) or inspect.isfunction(value):
        own = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
        assert own and not own.startswith(f"{name}(")
        return
    # A constant: the string below it in the module that defines it.
    homes = [
        module
        for title, module in sorted(sys.modules.items())
        if title.startswith("dann_jax.") and vars(module).get(name) is value
    ]
    assert any(name in attributes_with_docstring(module) for module in homes)
