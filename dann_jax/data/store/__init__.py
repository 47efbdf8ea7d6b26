"""Prepared corpora on disk: TFDS stores, and folders of memory-mapped arrays."""

from dann_jax.data.store.arrays import open_arrays as open_arrays
from dann_jax.data.store.layout import SPLIT as SPLIT
from dann_jax.data.store.layout import read_metadata as read_metadata
from dann_jax.data.store.layout import store_folder as store_folder
from dann_jax.data.store.reading import read_store as read_store
from dann_jax.data.store.writing import write_store as write_store
