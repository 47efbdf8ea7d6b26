"""The type of an extractor, and the provenance of its features."""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.utils.versions import version_of


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A feature extractor, with every parameter that its values depend on.

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
      about: what decides no value but is needed to make the extractor again, such as
        the name of a model whose digest is among the parameters, or is told of that
        model; plain JSON values.
      compute_batch: of an extractor that computes many utterances together on a
        device: from a list of what `compute` takes to a list of what it returns. Which
        utterances are together changes nothing but rounding.
      half: whether stores keep its values as float16, which they fit into.
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
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    compute_batch: Callable[[Sequence[Any]], list[np.ndarray]] | None = None
    half: bool = False

    def provenance(self) -> dict[str, Any]:
        """How the features are made, as JSON values.

        `hash` covers all but `about` and `packages`.
        """
        provenance = {
            "extractor": self.name,
            "version": self.version,
            "parameters": dict(self.parameters),
            "sample_rate": self.sample_rate,
            "dim": self.dim,
            "framewise": self.framewise,
        }
        return {
            **provenance,
            "hash": provenance_hash(provenance),
            "packages": {name: version_of(name) for name in self.packages},
            **({"about": dict(self.about)} if self.about else {}),
        }


def provenance_hash(provenance: Mapping[str, Any]) -> str:
    """Digest of all of a provenance that decides values.

    Args:
      provenance: as `Extractor.provenance` returns it, with or without its `hash`.
    """
    skipped = ("hash", "packages", "about")
    settings = {key: x for key, x in provenance.items() if key not in skipped}
    text = json.dumps(settings, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def compute_each(
    extractor: Extractor, inputs: Sequence[Any]
) -> list[np.ndarray | Exception]:
    """The features of many utterances by `compute_batch`, or why there are none.

    Where a batch fails, its utterances are tried one at a time, so that one of them
    does not cost the others.

    Args:
      extractor: one that has a `compute_batch`.
      inputs: what its `compute` takes, for each utterance.

    Returns:
      For each utterance what `compute` returns, or the error that it raised.
    """
    # Extractors are other people's code: any error is that of an utterance.
    with contextlib.suppress(Exception):
        return list(extractor.compute_batch(inputs))
    results: list[np.ndarray | Exception] = []
    for given in inputs:
        try:
            results.append(extractor.compute(given))
        except Exception as error:
            results.append(error)
    return results


def mismatch(
    expected: Mapping[str, Any] | None, found: Mapping[str, Any] | None
) -> str | None:
    """How the provenance of features differs from the expected one.

    Other versions of packages are no mismatch: they rarely change a value, and a model
    must outlive them. `package_differences` lists them.

    Args:
      expected: provenance that a model was trained on; None if it is not known.
      found: provenance of the features at hand; None if it is not known.

    Returns:
      A sentence for an error, or None where both were made in the same way.

    Example:
      >>> old = {"extractor": "logmel", "version": 1, "parameters": {"n_mels": 64}}
      >>> print(mismatch(old, {**old, "parameters": {"n_mels": 40}}))
      expected features made by logmel, found features made by logmel: they differ in \
n_mels (expected 64, found 40)
      >>> mismatch(old, old)
    """
    wanted, got = _settings(expected), _settings(found)
    if wanted == got:
        return None
    start = f"expected {_maker(expected)}, found {_maker(found)}"
    if wanted.get("extractor") != got.get("extractor"):
        return start
    keys = [key for key in {**wanted, **got} if wanted.get(key) != got.get(key)]
    differences = ", ".join(
        f"{key} (expected {wanted.get(key, 'none')}, found {got.get(key, 'none')})"
        for key in keys
    )
    return f"{start}: they differ in {differences}"


def package_differences(
    expected: Mapping[str, Any] | None, found: Mapping[str, Any] | None
) -> list[str]:
    """Packages whose version differs between two provenances, for a message.

    Example:
      >>> package_differences(
      ...     {"packages": {"librosa": "0.11.0"}}, {"packages": {"librosa": "1.0.0"}}
      ... )
      ['librosa: expected 0.11.0, found 1.0.0']
    """
    wanted, got = _mapping(expected, "packages"), _mapping(found, "packages")
    return [
        f"{name}: expected {wanted.get(name, 'none')}, found {got.get(name, 'none')}"
        for name in sorted({*wanted, *got})
        if wanted.get(name) != got.get(name)
    ]


def _settings(provenance: Mapping[str, Any] | None) -> dict[str, str]:
    """Everything that determines the values, key -> JSON, parameters included."""
    settings = {
        key: value
        for key, value in (provenance or {}).items()
        if key not in ("hash", "packages", "parameters", "about")
    }
    settings |= _mapping(provenance, "parameters")
    return {key: json.dumps(value, sort_keys=True) for key, value in settings.items()}


def _mapping(provenance: Mapping[str, Any] | None, key: str) -> Mapping[str, Any]:
    """A part of a provenance, which people may have written by hand."""
    value = (provenance or {}).get(key, {})
    return value if isinstance(value, Mapping) else {key: value}


def _maker(provenance: Mapping[str, Any] | None) -> str:
    if not provenance or "extractor" not in provenance:
        return "features without a record of how they were made"
    return f"features made by {provenance['extractor']}"
