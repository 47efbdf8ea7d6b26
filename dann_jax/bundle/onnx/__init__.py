"""Functions of JAX in ONNX: for runtimes that know nothing of JAX."""

from dann_jax.bundle.onnx.graph import OnnxError
from dann_jax.bundle.onnx.model import onnx_bytes

__all__ = ["OnnxError", "onnx_bytes"]
