"""Public functions that take or return arrays say the shapes of them."""

import ast
import pathlib
import re
from collections.abc import Iterator

import dann_jax

PACKAGE = pathlib.Path(dann_jax.__file__).parent
ARRAYS = re.compile(r"\b(np\.ndarray|jax\.Array|Array|ArrayLike)\b")
AXIS = r"(?:\.\.\.|\*?[A-Za-z0-9_][\w' *+/()-]*)"
SHAPE = re.compile(rf"\bscalars?\b|(?<![\w\])])\[{AXIS}(?:, {AXIS})*\]", re.IGNORECASE)
EXAMPLE = re.compile(r"^\s*(>>>|\.\.\.) .*$", re.MULTILINE)
SHARE = 0.95


def public_functions(
    body: list[ast.stmt], path: str
) -> Iterator[tuple[str, ast.FunctionDef, str]]:
    """Dotted name, definition and docstring (a constructor's is that of its class)."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            of_class = ast.get_docstring(node) or ""
            for name, function, text in public_functions(
                node.body, f"{path}.{node.name}"
            ):
                yield name, function, text if text else of_class
        elif isinstance(node, ast.FunctionDef):
            special = node.name in ("__init__", "__call__")
            if special or not node.name.startswith("_"):
                yield f"{path}.{node.name}", node, ast.get_docstring(node) or ""


def takes_or_returns_arrays(function: ast.FunctionDef) -> bool:
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    annotations = [argument.annotation for argument in every] + [function.returns]
    return any(ARRAYS.search(ast.unparse(a)) for a in annotations if a is not None)


def says_a_shape(text: str) -> bool:
    """Whether it says `scalar`, or has a shape as `[N, dim]`: no range as [0, 1]."""
    matches = SHAPE.finditer(EXAMPLE.sub("", text))
    return any(re.search(r"[A-Za-z]|\.\.\.", match.group()) for match in matches)


def test_public_functions_say_the_shapes_of_their_arrays() -> None:
    with_shape, without = [], []
    for file in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        tree = ast.parse(file.read_text())
        for name, function, text in public_functions(tree.body, module):
            if takes_or_returns_arrays(function):
                (with_shape if says_a_shape(text) else without).append(name)
    share = len(with_shape) / (len(with_shape) + len(without))
    assert share >= SHARE, f"{share:.1%}; without a shape:\n" + "\n".join(without)
