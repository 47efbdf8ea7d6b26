"""The words of a model card on how features are made."""

from collections.abc import Mapping
from typing import Any


def maker_words(provenance: Mapping[str, Any] | None) -> str:
    """What made the features of a provenance; None where nobody knows."""
    if provenance is None:
        return "how they were made is unknown"
    known = (key for key in ("extractor", "version", "hash") if key in provenance)
    maker = f"made by {', '.join(f'{key} {provenance[key]}' for key in known)}"
    return f"{maker}{_encoder(provenance)}"


def _encoder(provenance: Mapping[str, Any]) -> str:
    """Which pretrained model makes the features; nothing where none does."""
    about, parameters = provenance.get("about"), provenance.get("parameters")
    if not isinstance(about, Mapping) or not isinstance(parameters, Mapping):
        return ""
    if "model" not in about:
        return ""
    settings = ", ".join(f"{key} {value}" for key, value in parameters.items())
    licence = about.get("licence", "not stated")
    datasets = about.get("datasets")
    data = ", ".join(map(str, datasets)) if isinstance(datasets, list) else "not stated"
    return (
        f", of the pretrained model {about['model']} ({settings}). By its own card, "
        f"its licence is: {licence}; the data it was trained on: {data}. Before you "
        f"rely on the scores, check whether the recordings that were tested here are "
        f"among those data"
    )
