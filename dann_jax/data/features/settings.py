"""The settings of a folder of features, and how they differ from requested ones."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.catalogue import make_extractor
from dann_jax.data.features.extraction_worker import FeatureSpecs, MakeExtractor
from dann_jax.data.features.extractor import mismatch, package_differences
from dann_jax.data.store.damage import read_object
from dann_jax.utils.files import write_json


def settings_of(
    columns: Mapping[str, np.ndarray],
    features: FeatureSpecs,
    make: MakeExtractor = make_extractor,
) -> dict[str, Any]:
    """The provenance of the corpus that `extract` will make.

    Args:
      columns: column -> string array `[N]`.
      features: name of an extractor -> its parameters.
      make: from a name and parameters to an extractor.
    """
    extractors = [make(name, **parameters) for name, parameters in features.items()]
    if not extractors:
        raise CorpusError("no features are named")
    return {
        "layout": "audio",
        "dims": {extractor.name: extractor.dim for extractor in extractors},
        "features": {
            extractor.name: extractor.provenance() for extractor in extractors
        },
        "columns": _digest(columns),
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """How the features of new settings differ from those of old ones.

    Other versions of packages do not count, as in `extractor.mismatch`.

    Example:
      >>> old = {"features": {"logmel": {"extractor": "logmel"}}}
      >>> differences(old, {"features": {}})
      ['logmel is in the folder and not requested']
    """
    was, now = (settings.get("features") or {} for settings in (old, new))
    changes = []
    for name in dict.fromkeys([*was, *now]):
        if name not in now:
            changes.append(f"{name} is in the folder and not requested")
        elif name not in was:
            changes.append(f"{name} is requested and not in the folder")
        elif reason := mismatch(was[name], now[name]):
            changes.append(reason)
    return changes


def _digest(columns: Mapping[str, np.ndarray]) -> str:
    text = json.dumps({name: column.tolist() for name, column in columns.items()})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def package_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Packages whose version differs, for features in both settings."""
    was = old.get("features") or {}
    return [
        difference
        for name, provenance in new["features"].items()
        for difference in package_differences(was.get(name), provenance)
    ]


def claim(folder: epath.Path, settings: Mapping[str, Any]) -> None:
    """Create the working folder of these features, or check that it belongs to them.

    Raises:
      CorpusError: it holds features of other settings or other versions of packages.
    """
    path = folder / "settings.json"
    if path.exists():
        old = read_object(path)
        # A corpus must not mix features of two versions.
        changes = differences(old, settings) + package_changes(old, settings)
        if changes:
            raise CorpusError(
                f"{folder} holds features made with other settings: "
                f"{'; '.join(changes)}. Go back to the old settings, or begin again "
                f"with --renew"
            )
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    write_json(path, settings)
