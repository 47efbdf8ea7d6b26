"""Prepared corpora on disk: TFDS stores, and folders of memory-mapped arrays."""

from dann_jax.data.store.arrays import open_arrays, write_arrays
from dann_jax.data.store.layout import (
    LAYOUT_VERSION,
    SPLIT,
    read_metadata,
    store_folder,
)
from dann_jax.data.store.reading import read_store
from dann_jax.data.store.writing import write_store

__all__ = [
    "LAYOUT_VERSION",
    "SPLIT",
    "open_arrays",
    "read_metadata",
    "read_store",
    "store_folder",
    "write_arrays",
    "write_store",
]
