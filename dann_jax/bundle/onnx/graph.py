"""An ONNX graph while it is written: plain nodes, constants, and symbolic sizes."""

import ast
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Value = str | np.ndarray
"""The name of what a node computes, or an array that is known already."""


class OnnxError(ValueError):
    """The function does something that is not translated to ONNX."""


class Node(NamedTuple):
    """One operation of ONNX.

    Attributes:
      op: its type, such as `Add`.
      inputs: names; empty for an input that is left out.
      outputs: names.
      attributes: numbers and lists of them, text, types of NumPy, or a `Subgraph`.
    """

    op: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Any]


class Subgraph(NamedTuple):
    """The body of a loop: `(name, type, sizes)` of what goes in and comes out."""

    nodes: Sequence[Node]
    inputs: Sequence[tuple[str, np.dtype, tuple]]
    outputs: Sequence[tuple[str, np.dtype, tuple]]


@dataclasses.dataclass(frozen=True)
class Graph:
    """Nodes in the order of their computation; a loop's body has a graph of its own.

    What a body needs from outside it refers to by name. Constants and sizes belong to
    the outermost graph.

    Attributes:
      nodes: so far.
      constants: name -> array.
      sizes: text of a size, such as `2*b + 1` -> name of it, int64 `[1]`.
      outer: the outermost graph; None where this is it.
      names: numbers for new names.
    """

    nodes: list[Node] = dataclasses.field(default_factory=list)
    constants: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    sizes: dict[str, str] = dataclasses.field(default_factory=dict)
    outer: "Graph | None" = None
    names: itertools.count = dataclasses.field(default_factory=itertools.count)

    def body(self) -> "Graph":
        """An empty graph within this one."""
        outer = self.outer or self
        return Graph([], self.constants, self.sizes, outer, self.names)

    def new_name(self) -> str:
        """A name that nothing has yet."""
        return f"value:{next(self.names)}"

    def name(self, value: Value) -> str:
        """The name of a value; an array becomes a constant."""
        if isinstance(value, str):
            return value
        name = self.new_name()
        self.constants[name] = value
        return name

    def add(self, op: str, *inputs: Value, **attributes: Any) -> str:
        """A node with one output, whose name is returned."""
        return self.add_several(op, 1, *inputs, **attributes)[0]

    def add_several(
        self, op: str, count: int, *inputs: Value, **attributes: Any
    ) -> list[str]:
        """A node with `count` outputs, whose names are returned."""
        outputs = [self.new_name() for _ in range(count)]
        names = [self.name(value) for value in inputs]
        self.nodes.append(Node(op, names, outputs, attributes))
        return outputs

    def shape(self, sizes: Sequence[Any]) -> Value:
        """Sizes, int or symbolic, as one int64 vector."""
        if all(isinstance(size, int | np.integer) for size in sizes):
            return np.array(sizes, np.int64)
        return self.add("Concat", *map(self.size, sizes), axis=0)

    def size(self, size: Any) -> Value:
        """A size, int or symbolic, as an int64 vector of one number."""
        if isinstance(size, int | np.integer):
            return np.array([size], np.int64)
        text = str(size)
        outer = self.outer or self
        if text not in self.sizes:
            # JAX writes powers as its parser of symbolic shapes reads them.
            tree = ast.parse(text.replace("^", "**"), mode="eval").body
            self.sizes[text] = outer.name(outer._evaluated(tree))
        return self.sizes[text]

    def _evaluated(self, tree: ast.expr) -> Value:
        """Nodes that compute a symbolic size; its variables are in `sizes`."""
        match tree:
            case ast.Constant(value=int(number)):
                return np.array([number], np.int64)
            case ast.Name(id=name):
                return self.sizes[name]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.add("Neg", self._evaluated(inner))
            case ast.BinOp(left=left, op=op, right=right):
                parts = self._evaluated(left), self._evaluated(right)
                return self.add(_ARITHMETIC[type(op)], *parts)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                parts = [self._evaluated(argument) for argument in arguments]
                if name != "floordiv":
                    return self.add(_FUNCTIONS[name], *parts)
                # Division in ONNX rounds towards zero.
                left, right = parts
                whole = self.add("Sub", left, self.add("Mod", left, right))
                return self.add("Div", whole, right)
        raise OnnxError(f"cannot write the size {ast.unparse(tree)} in ONNX")


_ARITHMETIC = {ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Pow: "Pow"}
_FUNCTIONS = {"mod": "Mod", "max": "Max", "min": "Min"}
