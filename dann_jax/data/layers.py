"""Layers of a pretrained encoder, side by side in the features of a corpus."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.features.extractor import provenance_hash
from dann_jax.data.features.pretrained import PRETRAINED
from dann_jax.data.frames import Frames


def layers_of(corpus: Corpus) -> dict[str, tuple[int, ...]]:
    """Modality -> the numbers of its layers, of those modalities that have layers.

    A feature vector `[layers * values]` holds the values of one layer after those of
    another, in this order.

    Args:
      corpus: whose provenance says how its features were made.

    Raises:
      CorpusError: the features cannot hold as many layers as their provenance names.
    """
    provenance = corpus.provenance.get("features") or {}
    numbers = {name: _numbers(provenance.get(name) or {}) for name in corpus.features}
    layers_by_name = {name: layers for name, layers in numbers.items() if layers}
    for name, layers in layers_by_name.items():
        dim = corpus.features[name].shape[-1]
        if dim % len(layers):
            raise CorpusError(
                f"corpus {corpus.name!r}: the {dim} values of {name!r} cannot be those "
                f"of {len(layers)} layers, as its provenance says"
            )
    return layers_by_name


def _numbers(provenance: Mapping[str, Any]) -> tuple[int, ...]:
    """The layers of a provenance, which people may have written by hand."""
    parameters = provenance.get("parameters")
    if provenance.get("extractor") != PRETRAINED or not isinstance(parameters, Mapping):
        return ()
    layers = parameters.get("layers")
    whole = isinstance(layers, list) and all(type(n) is int for n in layers)
    return tuple(layers) if whole else ()


def keep_layers(corpus: Corpus, layers: Sequence[int]) -> Corpus:
    """The corpus as if its features had been prepared with these layers alone.

    Features without layers stay as they are.

    Args:
      corpus: with one or more layers of an encoder.
      layers: their numbers, in the order that is wanted.

    Returns:
      The corpus; its provenance names these layers, and is that of an extractor that
      makes no others. Layers that are neighbours are not copied.

    Raises:
      CorpusError: no feature has layers, or one lacks a layer.
    """
    there = layers_of(corpus)
    if not there:
        raise CorpusError(
            f"corpus {corpus.name!r}: layers={tuple(layers)} chooses among the layers "
            f"of a pretrained encoder, and none of {', '.join(corpus.features)} is "
            f"recorded to have any; leave data.layers empty"
        )
    features = dict(corpus.features)
    provenance = dict(corpus.provenance)
    made = provenance["features"] = dict(provenance["features"])
    for name, numbers in there.items():
        missing = [layer for layer in layers if layer not in numbers]
        if missing:
            raise CorpusError(
                f"corpus {corpus.name!r}: {name!r} has no layer {missing[0]}; it has "
                f"{', '.join(map(str, numbers))}"
            )
        size = corpus.features[name].shape[-1] // len(numbers)
        places = [numbers.index(layer) for layer in layers]
        features[name] = _blocks(corpus.features[name], places, size)
        made[name] = _of_layers(made[name], layers, size)
    if isinstance(provenance.get("dims"), Mapping):
        dims = {name: array.shape[-1] for name, array in features.items()}
        provenance["dims"] = {**provenance["dims"], **dims}
    return dataclasses.replace(corpus, features=features, provenance=provenance)


def _blocks(
    array: np.ndarray | Frames, places: Sequence[int], size: int
) -> np.ndarray | Frames:
    """These blocks of so many values of every vector; a view where it can be one."""
    if isinstance(array, Frames):
        return Frames(_blocks(array.values, places, size), array.lengths)
    first = places[0]
    if list(places) == list(range(first, first + len(places))):
        return array[:, first * size : (first + len(places)) * size]
    columns = [np.arange(place * size, (place + 1) * size) for place in places]
    return array[:, np.concatenate(columns)]


def _of_layers(
    provenance: Mapping[str, Any], layers: Sequence[int], size: int
) -> dict[str, Any]:
    """The provenance of an extractor that makes these layers only."""
    parameters = {**provenance["parameters"], "layers": list(layers)}
    changed = {**provenance, "parameters": parameters}
    if "dim" in changed:
        changed["dim"] = size * len(layers)
    if "hash" in changed:
        changed["hash"] = provenance_hash(changed)
    return changed
