"""What the operations of JAX are in ONNX, one by one; indexing has its own module.

A translation is a function `(graph, equation, *values) -> value`, or a list of them.
"""

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.bundle.onnx.graph import Graph, OnnxError, Value

Translation = Callable[..., Value | Sequence[Value]]

_SAME = {
    **{"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "pow": "Pow"},
    **{"max": "Max", "min": "Min", "neg": "Neg", "abs": "Abs", "sign": "Sign"},
    **{"exp": "Exp", "log": "Log", "tanh": "Tanh", "logistic": "Sigmoid"},
    **{"sqrt": "Sqrt", "erf": "Erf", "floor": "Floor", "ceil": "Ceil"},
    **{"sin": "Sin", "cos": "Cos", "eq": "Equal", "lt": "Less", "gt": "Greater"},
    **{"le": "LessOrEqual", "ge": "GreaterOrEqual"},
}
"""Operations on elements that ONNX has too."""

_LOGICAL = {"and": "And", "or": "Or", "xor": "Xor", "not": "Not"}
_REDUCTIONS = {
    **{"reduce_sum": "ReduceSum", "reduce_prod": "ReduceProd"},
    **{"reduce_max": "ReduceMax", "reduce_min": "ReduceMin"},
}
_NOTHING = ("stop_gradient", "optimization_barrier", "copy", "copy_p")
"""What changes no number."""


def type_of(atom: Any) -> np.dtype:
    """The type of a variable of a jaxpr."""
    return np.dtype(atom.aval.dtype)


def require(known: bool, eqn: Any, what: str) -> None:
    """Raise `OnnxError` where an operation is used in a way that is not translated."""
    if not known:
        name = eqn.primitive.name
        raise OnnxError(f"JAX's operation {name!r} with {what} has no translation")


def _same(op: str) -> Translation:
    return lambda graph, eqn, *values: graph.add(op, *values)


def _logical(op: str) -> Translation:
    def translate(graph: Graph, eqn: Any, *values: Value) -> Value:
        require(type_of(eqn.invars[0]) == np.bool_, eqn, "numbers in place of flags")
        return graph.add(op, *values)

    return translate


def _reduction(op: str) -> Translation:
    def translate(graph: Graph, eqn: Any, value: Value) -> Value:
        axes = np.array(eqn.params["axes"], np.int64)
        return graph.add(op, value, axes, keepdims=0)

    return translate


def _square(graph: Graph, eqn: Any, value: Value) -> Value:
    return graph.add("Mul", value, value)


def _power(graph: Graph, eqn: Any, value: Value) -> Value:
    return graph.add("Pow", value, np.array(eqn.params["y"], type_of(eqn.invars[0])))


def _inverse_root(graph: Graph, eqn: Any, value: Value) -> Value:
    return graph.add("Reciprocal", graph.add("Sqrt", value))


def _remainder(graph: Graph, eqn: Any, *values: Value) -> Value:
    # JAX's remainder has the sign of what is divided, as C's has.
    return graph.add("Mod", *values, fmod=1)


def _unequal(graph: Graph, eqn: Any, *values: Value) -> Value:
    return graph.add("Not", graph.add("Equal", *values))


def _select(graph: Graph, eqn: Any, which: Value, *cases: Value) -> Value:
    require(len(cases) == 2, eqn, f"{len(cases)} cases")
    which = graph.add("Cast", which, to=np.dtype(np.bool_))
    return graph.add("Where", which, cases[1], cases[0])


def _clamp(graph: Graph, eqn: Any, low: Value, value: Value, high: Value) -> Value:
    return graph.add("Min", graph.add("Max", value, low), high)


def _cast(graph: Graph, eqn: Any, value: Value) -> Value:
    return graph.add("Cast", value, to=type_of(eqn.outvars[0]))


def _product(graph: Graph, eqn: Any, left: Value, right: Value) -> Value:
    (contracted, batched) = eqn.params["dimension_numbers"]
    letters = iter(string.ascii_letters)
    left_axes = [next(letters) for _ in eqn.invars[0].aval.shape]
    shared = {
        other: left_axes[own]
        for pairs in (contracted, batched)
        for own, other in zip(*pairs, strict=True)
    }
    rank = len(eqn.invars[1].aval.shape)
    right_axes = [shared.get(axis) or next(letters) for axis in range(rank)]
    result = [left_axes[axis] for axis in batched[0]]
    for axes, (own, also) in (
        (left_axes, (contracted[0], batched[0])),
        (right_axes, (contracted[1], batched[1])),
    ):
        result += [x for n, x in enumerate(axes) if n not in (*own, *also)]
    equation = f"{''.join(left_axes)},{''.join(right_axes)}->{''.join(result)}"
    return graph.add("Einsum", left, right, equation=equation)


def _iota(graph: Graph, eqn: Any) -> Value:
    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    stop = graph.add("Squeeze", graph.size(shape[axis]))
    numbers = graph.add("Range", np.int64(0), stop, np.int64(1))
    numbers = graph.add("Cast", numbers, to=type_of(eqn.outvars[0]))
    return _spread(graph, numbers, (axis,), shape)


def _broadcast(graph: Graph, eqn: Any, value: Value, *_: Value) -> Value:
    axes = eqn.params["broadcast_dimensions"]
    return _spread(graph, value, axes, eqn.params["shape"])


def _spread(graph: Graph, value: Value, axes: Sequence[int], shape: Any) -> Value:
    """A value whose axes become these of an array of this shape."""
    if new := [axis for axis in range(len(shape)) if axis not in axes]:
        value = graph.add("Unsqueeze", value, np.array(new, np.int64))
    return graph.add("Expand", value, graph.shape(shape))


def _reshape(graph: Graph, eqn: Any, value: Value, *_: Value) -> Value:
    return graph.add(
        "Reshape", value, graph.shape(eqn.params["new_sizes"]), allowzero=1
    )


def _transpose(graph: Graph, eqn: Any, value: Value) -> Value:
    return graph.add("Transpose", value, perm=[*map(int, eqn.params["permutation"])])


def _squeeze(graph: Graph, eqn: Any, value: Value) -> Value:
    return graph.add("Squeeze", value, np.array(eqn.params["dimensions"], np.int64))


def _concatenate(graph: Graph, eqn: Any, *values: Value) -> Value:
    return graph.add("Concat", *values, axis=int(eqn.params["dimension"]))


def _stack(graph: Graph, eqn: Any, *values: Value) -> Value:
    axis = int(eqn.params["axis"])
    parts = [graph.add("Unsqueeze", value, np.int64([axis])) for value in values]
    return graph.add("Concat", *parts, axis=axis)


def _unstack(graph: Graph, eqn: Any, value: Value) -> Sequence[Value]:
    axis = int(eqn.params["axis"])
    sizes = np.ones(len(eqn.outvars), np.int64)
    parts = graph.add_several("Split", len(sizes), value, sizes, axis=axis)
    return [graph.add("Squeeze", part, np.int64([axis])) for part in parts]


def _split(graph: Graph, eqn: Any, value: Value) -> Sequence[Value]:
    sizes, axis = eqn.params["sizes"], int(eqn.params["axis"])
    return graph.add_several("Split", len(sizes), value, graph.shape(sizes), axis=axis)


def _pad(graph: Graph, eqn: Any, value: Value, filler: Value) -> Value:
    low, high, between = zip(*eqn.params["padding_config"], strict=True)
    require(not any(between), eqn, "padding between elements")
    return graph.add("Pad", value, graph.shape([*low, *high]), filler)


def _size_as_value(graph: Graph, eqn: Any) -> Value:
    size = graph.add("Squeeze", graph.size(eqn.params["dim"]))
    return graph.add("Cast", size, to=type_of(eqn.outvars[0]))


PRIMITIVES: Mapping[str, Translation] = {
    **{name: _same(op) for name, op in _SAME.items()},
    **{name: _logical(op) for name, op in _LOGICAL.items()},
    **{name: _reduction(op) for name, op in _REDUCTIONS.items()},
    **dict.fromkeys(_NOTHING, lambda graph, eqn, *values: values),
    **{"square": _square, "integer_pow": _power, "rsqrt": _inverse_root},
    **{"rem": _remainder, "ne": _unequal, "select_n": _select, "clamp": _clamp},
    **{"convert_element_type": _cast, "dot_general": _product, "iota": _iota},
    **{"broadcast_in_dim": _broadcast, "reshape": _reshape, "transpose": _transpose},
    **{"squeeze": _squeeze, "concatenate": _concatenate, "stack": _stack},
    **{"unstack": _unstack, "split": _split, "pad": _pad},
    **{"dim_as_value": _size_as_value},
}
"""Name of a primitive of JAX -> its translation."""
