"""What an extractor is, and the provenance that every feature array carries."""

import dataclasses
import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Extractor:
    """One kind of feature, with every number that its values depend on.

    Attributes:
      name: of the modality, such as `logmel`.
      version: goes up whenever the same parameters give other values.
      parameters: all of them, plain JSON values.
      dim: size of a feature vector.
      framewise: whether it makes a vector every frame or one an utterance.
      compute: from float32 samples `[n]` in [-1, 1] at `sample_rate` (or, where
        `sample_rate` is None, from the transcript, a string) to float32
        `[frames, dim]` or `[dim]`.
      sample_rate: in Hz; None for features of the text.
      names: of the `dim` values, if they have any.
      packages: those whose version may change the values.
    """

    name: str
    version: int
    parameters: Mapping[str, Any]
    dim: int
    framewise: bool
    compute: Callable[[Any], np.ndarray]
    sample_rate: int | None = 16000
    names: Sequence[str] = ()
    packages: Sequence[str] = ()

    def provenance(self) -> dict[str, Any]:
        """How the features are made, as JSON values; `hash` covers all but packages."""
        made = {
            "extractor": self.name,
            "version": self.version,
            "parameters": dict(self.parameters),
            "sample_rate": self.sample_rate,
            "dim": self.dim,
            "framewise": self.framewise,
        }
        text = json.dumps(made, sort_keys=True)
        return {
            **made,
            "hash": hashlib.sha256(text.encode()).hexdigest()[:16],
            "packages": {
                name: importlib.metadata.version(name) for name in self.packages
            },
        }
