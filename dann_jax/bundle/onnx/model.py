"""The file of an ONNX graph."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from dann_jax.bundle.onnx.graph import Node, OnnxError, Subgraph
from dann_jax.bundle.onnx.translate import graph_of
from dann_jax.types import Array

OPSET, IR_VERSION = 18, 8
"""Old enough for every runtime of these years; newer ones read them too."""


def onnx_bytes(
    function: Callable[[dict[str, Array]], Mapping[str, Array]],
    inputs: Mapping[str, jax.ShapeDtypeStruct],
    notes: Mapping[str, str],
) -> bytes:
    """A pure function of JAX as an ONNX model.

    Args:
      function: from arrays by name to arrays by name.
      inputs: shapes, of sizes that are int or symbolic, and types.
      notes: what the model says of itself, such as its licence.

    Raises:
      OnnxError: an operation is not translated, `onnx` is not installed, or an output
        has the name of an input.
    """
    try:
        import onnx
        from onnx import helper, numpy_helper
    except ImportError:
        raise OnnxError(
            "onnx is not installed: pip install 'dann_jax[onnx]', or pip install onnx"
        ) from None
    graph, values = graph_of(function, inputs)
    if both := sorted({*values} & {*inputs}):
        raise OnnxError(f"an output has the name of an input, {both[0]!r}")
    shapes = jax.eval_shape(function, dict(inputs))
    results = [Node("Identity", [value], [name], {}) for name, value in values.items()]
    described = [
        [_value_info(name, x.dtype, x.shape) for name, x in arrays.items()]
        for arrays in (inputs, {name: shapes[name] for name in values})
    ]
    numbers = itertools.count()
    proto = helper.make_graph(
        [_node(node, numbers) for node in (*graph.nodes, *results)],
        "dann_jax",
        *described,
        initializer=[
            numpy_helper.from_array(np.asarray(array), name)
            for name, array in graph.constants.items()
        ],
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        proto, producer_name="dann_jax", opset_imports=opset, ir_version=IR_VERSION
    )
    helper.set_model_props(model, dict(notes))
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _node(node: Node, numbers: itertools.count) -> Any:
    from onnx import helper

    attributes = {
        key: _attribute(value, numbers) for key, value in node.attributes.items()
    }
    name = f"{node.op}_{next(numbers)}"
    return helper.make_node(node.op, node.inputs, node.outputs, name=name, **attributes)


def _attribute(value: Any, numbers: itertools.count) -> Any:
    from onnx import helper

    if isinstance(value, np.dtype):
        return helper.np_dtype_to_tensor_dtype(value)
    if not isinstance(value, Subgraph):
        return value
    nodes = [_node(node, numbers) for node in value.nodes]
    ends = ([_value_info(*x) for x in part] for part in (value.inputs, value.outputs))
    return helper.make_graph(nodes, f"body_{next(numbers)}", *ends)


def _value_info(name: str, kind: Any, shape: Sequence[Any]) -> Any:
    from onnx import helper

    sizes = [size if isinstance(size, int) else str(size) for size in shape]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    return helper.make_tensor_value_info(name, kind, sizes)
