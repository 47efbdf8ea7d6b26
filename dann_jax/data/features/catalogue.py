"""The extractors by name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from dann_jax.data.features.egemaps import egemaps
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.functionals import functionals
from dann_jax.data.features.pretrained import pretrained
from dann_jax.data.features.prosody import prosody
from dann_jax.data.features.sentence import sentence
from dann_jax.data.features.spectral import logmel, mfcc
from dann_jax.data.features.waveform import waveform

EXTRACTORS: Mapping[str, Callable[..., Extractor]] = {
    "logmel": logmel,
    "mfcc": mfcc,
    "prosody": prosody,
    "functionals": functionals,
    "egemaps": egemaps,
    "waveform": waveform,
    "sentence": sentence,
    "pretrained": pretrained,
}
"""Word -> constructor; the rest of its keyword arguments are its parameters."""


def make_extractor(name: str, **parameters: Any) -> Extractor:
    """The extractor of that name.

    Args:
      name: one of `EXTRACTORS`.
      **parameters: of its constructor, where they are documented.

    Returns:
      The extractor. Making one is quick, but for `pretrained`, which reads the weights
      to know them: what it needs is imported when it computes.

    Raises:
      ValueError: there is no such extractor, it has no such parameter, or it needs a
        package that is not installed; the message says which to install.

    Example:
      >>> make_extractor("logmel", n_mels=40).dim
      40
    """
    if name not in EXTRACTORS:
        raise ValueError(
            f"there is no extractor {name!r}; there are {', '.join(EXTRACTORS)}"
        )
    valid = list(inspect.signature(EXTRACTORS[name]).parameters)
    unknown = [argument for argument in parameters if argument not in valid]
    if unknown:
        raise ValueError(
            f"{name} has no parameter {', '.join(unknown)}; "
            f"it has {', '.join(valid) or 'none'}"
        )
    try:
        return EXTRACTORS[name](**parameters)
    except TypeError as error:
        raise ValueError(f"{name}: a parameter is missing or wrong: {error}") from None
    except ModuleNotFoundError as error:
        raise ValueError(str(error)) from None


def specification(
    provenance: Mapping[str, Any], **places: Any
) -> tuple[str, dict[str, Any]]:
    """The word and the parameters of the extractor that made features.

    Args:
      provenance: as in `extractor_from`.
      **places: as there.

    Raises:
      KeyError: the provenance is not that of an extractor; or `TypeError`.

    Example:
      >>> provenance = make_extractor("logmel", n_mels=40).provenance()
      >>> word, parameters = specification(provenance)
      >>> word, parameters["n_mels"]
      ('logmel', 40)
    """
    name, parameters = provenance["extractor"], dict(provenance["parameters"])
    # What else is told about a model is for people.
    about = provenance.get("about", {})
    known = name in EXTRACTORS
    valid = inspect.signature(EXTRACTORS[name]).parameters if known else ()
    parameters |= {key: about[key] for key in about if key in valid} | places
    # Features of text have no rate.
    if provenance["sample_rate"] is not None:
        parameters["sample_rate"] = provenance["sample_rate"]
    return name, parameters


def extractor_from(provenance: Mapping[str, Any], **places: Any) -> Extractor:
    """The extractor that made features, from their provenance.

    Args:
      provenance: as `Extractor.provenance` returns it, maybe through JSON.
      **places: parameters of the constructor that no provenance holds, such as the
        `folder` of `pretrained`.

    Returns:
      The extractor. What is installed here may make the features otherwise: compare
      its provenance by `mismatch`.

    Raises:
      ValueError: the provenance is not that of an extractor, or what `make_extractor`
        raises.

    Example:
      >>> provenance = make_extractor("logmel", n_mels=40).provenance()
      >>> extractor_from(provenance).provenance() == provenance
      True
    """
    try:
        name, parameters = specification(provenance, **places)
        return make_extractor(name, **parameters)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the provenance names no extractor: {error!r}") from None
