"""Slices, gathers, updates and sorting of JAX in ONNX."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jax.lax import GatherScatterMode

from dann_jax.bundle.onnx.graph import Graph, Value
from dann_jax.bundle.onnx.primitives import Translation, require


def _slice(graph: Graph, eqn: Any, value: Value) -> Value:
    start, limit = eqn.params["start_indices"], eqn.params["limit_indices"]
    steps = eqn.params["strides"] or (1,) * len(start)
    axes = np.arange(len(start))
    ends = graph.shape(start), graph.shape(limit)
    return graph.add("Slice", value, *ends, axes, np.array(steps, np.int64))


def _reverse(graph: Graph, eqn: Any, value: Value) -> Value:
    axes = np.array(eqn.params["dimensions"], np.int64)
    ones = np.ones_like(axes)
    first = ones * np.iinfo(np.int64).min
    return graph.add("Slice", value, -ones, first, axes, -ones)


def _sort(graph: Graph, eqn: Any, key: Value, *others: Value) -> Sequence[Value]:
    require(eqn.params["num_keys"] == 1, eqn, "several keys")
    axis = int(eqn.params["dimension"])
    size = graph.size(eqn.invars[0].aval.shape[axis])
    # Equal keys keep their order in TopK, so that every sort is stable.
    key, order = graph.add_several("TopK", 2, key, size, axis=axis, largest=0)
    moved = (graph.add("GatherElements", x, order, axis=axis) for x in others)
    return [key, *moved]


def _window_start(
    graph: Graph, starts: Value, shape: Sequence[Any], sizes: Sequence[Any]
) -> Value:
    """Where a window begins, int64 `[axes]`: moved so that all of it is inside."""
    starts = graph.add("Cast", starts, to=np.dtype(np.int64))
    last = graph.add("Sub", graph.shape(shape), graph.shape(sizes))
    return graph.add("Max", graph.add("Min", starts, last), np.zeros(1, np.int64))


def _stacked(graph: Graph, indices: Sequence[Value]) -> Value:
    """Scalars as one vector."""
    parts = [graph.add("Unsqueeze", index, np.int64([0])) for index in indices]
    return graph.add("Concat", *parts, axis=0)


def _window(
    graph: Graph, value: Value, shape: Any, sizes: Any, axes: Any, starts: Value
) -> Value:
    """The window of these sizes at `starts` of some axes; elsewhere all there is."""
    own = [shape[axis] for axis in axes], [sizes[axis] for axis in axes]
    first = _window_start(graph, starts, *own)
    end = graph.add("Add", first, graph.shape(own[1]))
    return graph.add("Slice", value, first, end, np.array(axes, np.int64))


def _dynamic_slice(graph: Graph, eqn: Any, value: Value, *indices: Value) -> Value:
    shape, sizes = eqn.invars[0].aval.shape, eqn.params["slice_sizes"]
    starts = _stacked(graph, indices)
    return _window(graph, value, shape, sizes, range(len(shape)), starts)


def _gather(graph: Graph, eqn: Any, value: Value, indices: Value) -> Value:
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    shape = eqn.invars[0].aval.shape
    axes = [*map(int, numbers.start_index_map)]
    batched = [*map(int, numbers.operand_batching_dims)]
    whole = [axis for axis in range(len(shape)) if axis not in (*axes, *batched)]
    fits = all(sizes[axis] == shape[axis] for axis in whole)
    require(fits, eqn, "a part of an axis that is not indexed")
    if len(eqn.invars[1].aval.shape) == 1:
        value = _window(graph, value, shape, sizes, axes, indices)
        dropped = np.array(numbers.collapsed_slice_dims, np.int64)
        return graph.add("Squeeze", value, dropped) if dropped.size else value
    require(all(sizes[axis] == 1 for axis in axes), eqn, "many windows")
    kept = not {*axes} - {*map(int, numbers.collapsed_slice_dims)}
    require(kept, eqn, "an indexed axis that stays")
    firsts = [*range(len(batched))]
    same = [*map(int, numbers.start_indices_batching_dims)] == firsts
    require(same, eqn, "indices whose batch axes are not the first")
    if eqn.params["mode"] == GatherScatterMode.CLIP:
        inner = [shape[axis] for axis in axes]
        indices = _window_start(graph, indices, inner, [1] * len(axes))
    indices = graph.add("Cast", indices, to=np.dtype(np.int64))
    value = graph.add("Transpose", value, perm=[*batched, *axes, *whole])
    # An index that is outside is an error of the runtime, where JAX would give NaN.
    value = graph.add("GatherND", value, indices, batch_dims=len(batched))
    rank = len(eqn.outvars[0].aval.shape)
    offset = [*map(int, numbers.offset_dims)]
    places = [axis for axis in range(rank) if axis not in offset] + offset
    return graph.add("Transpose", value, perm=np.argsort(places).tolist())


def _scatter(
    graph: Graph, eqn: Any, value: Value, indices: Value, update: Value
) -> Value:
    numbers, shape = eqn.params["dimension_numbers"], eqn.invars[0].aval.shape
    one = len(eqn.invars[1].aval.shape) == 1 and not numbers.operand_batching_dims
    require(one, eqn, "more than one window")
    dropped = [*map(int, numbers.inserted_window_dims)]
    if dropped:
        update = graph.add("Unsqueeze", update, np.array(dropped, np.int64))
    sizes = list(eqn.invars[2].aval.shape)
    for axis in sorted(dropped):
        sizes.insert(axis, 1)
    axes = [*map(int, numbers.scatter_dims_to_operand_dims)]
    return _updated(graph, eqn, value, update, shape, sizes, axes, indices)


def _dynamic_update_slice(
    graph: Graph, eqn: Any, value: Value, update: Value, *indices: Value
) -> Value:
    shape, sizes = (x.aval.shape for x in eqn.invars[:2])
    starts, axes = _stacked(graph, indices), range(len(shape))
    return _updated(graph, eqn, value, update, shape, sizes, axes, starts)


def _updated(
    graph: Graph,
    eqn: Any,
    value: Value,
    update: Value,
    shape: Sequence[Any],
    sizes: Sequence[Any],
    axes: Sequence[int],
    starts: Value,
) -> Value:
    """`value` with `update` at `starts`: what is before it, it, and what is behind."""
    part = [n for n, axis in enumerate(axes) if sizes[axis] != shape[axis]]
    if not part:
        return update
    require(len(part) == 1, eqn, "a window within several axes")
    axis, start = axes[part[0]], graph.add("Gather", starts, np.array(part, np.int64))
    first = _window_start(graph, start, [shape[axis]], [sizes[axis]])
    behind = graph.add("Add", first, graph.size(sizes[axis]))
    zero, end = np.zeros(1, np.int64), np.array([np.iinfo(np.int64).max])
    before = graph.add("Slice", value, zero, first, np.int64([axis]))
    after = graph.add("Slice", value, behind, end, np.int64([axis]))
    return graph.add("Concat", before, update, after, axis=axis)


INDEXING: Mapping[str, Translation] = {
    **{"slice": _slice, "rev": _reverse, "sort": _sort, "gather": _gather},
    **{"dynamic_slice": _dynamic_slice, "scatter": _scatter},
    **{"dynamic_update_slice": _dynamic_update_slice},
}
"""Name of a primitive of JAX -> its translation."""
