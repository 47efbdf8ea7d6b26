"""What `import dann_jax` brings along, and what it offers."""

import ast
import inspect
import json
import subprocess
import sys

import pytest

import dann_jax

HEAVY = ("tensorflow", "tensorflow_datasets", "librosa")


def attributes_with_docstring(module: object) -> set[str]:
    """Names that are assigned in a module with a string right below."""
    body = ast.parse(inspect.getsource(module)).body
    found = set()
    for statement, below in zip(body, body[1:], strict=False):
        if isinstance(statement, ast.Assign) and isinstance(below, ast.Expr):
            assert isinstance(below.value, ast.Constant)
            found |= {target.id for target in statement.targets}
    return found


def test_importing_the_library_imports_nothing_heavy() -> None:
    program = f"""
import json, sys
from dann_jax import *  # Only that looks all names up.
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=dann_jax.__path__[0] + "/..",
        timeout=120,
    )
    assert json.loads(ended.stdout) == []


def test_public_names_are_sorted_and_unique() -> None:
    assert sorted(set(dann_jax.__all__)) == sorted(dann_jax.__all__)
    assert dann_jax.__version__


@pytest.mark.parametrize("name", dann_jax.__all__)
def test_a_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(dann_jax, name)
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
