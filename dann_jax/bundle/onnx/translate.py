"""From a function of JAX to ONNX: the jaxpr, one operation after the other.

The function is traced with symbolic sizes, so that the graph serves all of them; what
depends on constants only is computed here and now.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from dann_jax.bundle.onnx.graph import Graph, OnnxError, Subgraph, Value
from dann_jax.bundle.onnx.indexing import INDEXING
from dann_jax.bundle.onnx.primitives import PRIMITIVES, type_of
from dann_jax.types import Array


def graph_of(
    function: Callable[[dict[str, Array]], Mapping[str, Array]],
    inputs: Mapping[str, jax.ShapeDtypeStruct],
) -> tuple[Graph, dict[str, str]]:
    """The graph of a pure function.

    Args:
      function: from arrays by name to arrays by name.
      inputs: their shapes, of sizes that are int or symbolic, and types. Every symbol
        is by itself the size of some axis.

    Returns:
      The graph, whose inputs have the names of `inputs`, and name of an output -> name
      of its value.

    Raises:
      OnnxError: an operation is not translated.
    """
    graph = Graph()
    for name, array in inputs.items():
        for axis, size in enumerate(array.shape):
            if str(size).isidentifier() and str(size) not in graph.sizes:
                shape = graph.add("Shape", name)
                one = graph.add("Gather", shape, np.int64([axis]))
                graph.sizes[str(size)] = one
    traced, outputs = jax.make_jaxpr(function, return_shape=True)(dict(inputs))
    # JAX flattens a dictionary in the order of its keys.
    values = _translated(graph, traced, sorted(inputs))
    return graph, dict(zip(sorted(outputs), map(graph.name, values), strict=True))


def _translated(
    graph: Graph, closed: ClosedJaxpr, arguments: Sequence[Value]
) -> list[Value]:
    """Nodes for all operations of a jaxpr; returns its results."""
    jaxpr = closed.jaxpr
    values: dict[Any, Value] = dict(zip(jaxpr.invars, arguments, strict=True))
    values |= {
        variable: np.asarray(const)
        for variable, const in zip(jaxpr.constvars, closed.consts, strict=True)
    }

    def read(atom: Any) -> Value:
        if isinstance(atom, Literal):
            return np.asarray(atom.val, type_of(atom))
        return values[atom]

    for eqn in jaxpr.eqns:
        results = _results(graph, eqn, [read(atom) for atom in eqn.invars])
        values |= zip(eqn.outvars, results, strict=True)
    return [read(atom) for atom in jaxpr.outvars]


def _results(graph: Graph, eqn: Any, values: list[Value]) -> Sequence[Value]:
    """What one operation gives."""
    name, params = eqn.primitive.name, eqn.params
    if name == "while":
        return _loop(graph, eqn, values)
    for key in ("jaxpr", "call_jaxpr"):
        if isinstance(params.get(key), ClosedJaxpr):
            return _translated(graph, params[key], values)
    if name != "dim_as_value" and _is_known(eqn, values):
        known = eqn.primitive.bind(*values, **params)
        several = eqn.primitive.multiple_results
        return [np.asarray(x) for x in (known if several else [known])]
    translate = {**PRIMITIVES, **INDEXING}.get(name)
    if translate is None:
        raise OnnxError(f"JAX's operation {name!r} has no translation")
    found = translate(graph, eqn, *values)
    return [found] if isinstance(found, str | np.ndarray) else found


def _is_known(eqn: Any, values: list[Value]) -> bool:
    """Whether all that an operation needs is known before there is any input."""
    sizes = (size for atom in eqn.outvars for size in atom.aval.shape)
    return all(isinstance(value, np.ndarray) for value in values) and all(
        isinstance(size, int) for size in sizes
    )


def _loop(graph: Graph, eqn: Any, values: list[Value]) -> list[str]:
    """`jax.lax.while_loop`, and `fori_loop` over a size that is symbolic."""
    params = eqn.params
    first, second = params["cond_nconsts"], params["body_nconsts"]
    for_test, for_body = values[:first], values[first : first + second]
    carried = values[first + second :]

    def goes_on(scope: Graph, state: Sequence[Value]) -> Value:
        return _translated(scope, params["cond_jaxpr"], [*for_test, *state])[0]

    body = graph.body()
    names = [body.new_name() for _ in carried]
    after = _translated(body, params["body_jaxpr"], [*for_body, *names])
    again = goes_on(body, after)
    # What a body returns must be computed in it.
    outputs = [body.add("Identity", value) for value in (again, *after)]
    flag = ((), np.dtype(np.bool_))
    types = [(atom.aval.shape, type_of(atom)) for atom in eqn.outvars]

    def described(names: Sequence[str], types: Sequence[tuple]) -> list[tuple]:
        return [(n, kind, shape) for n, (shape, kind) in zip(names, types, strict=True)]

    number = ((), np.dtype(np.int64))
    subgraph = Subgraph(
        body.nodes,
        described([body.new_name(), body.new_name(), *names], [number, flag, *types]),
        described(outputs, [flag, *types]),
    )
    start = goes_on(graph, carried)
    return graph.add_several("Loop", len(names), "", start, *carried, body=subgraph)
