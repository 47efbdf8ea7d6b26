"""What a folder of features was made with, and whether that is what is asked for."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.catalogue import make_extractor
from dann_jax.data.features.extraction_worker import Features, MakeExtractor
from dann_jax.data.features.extractor import mismatch, package_differences
from dann_jax.data.store.damage import read_object
from dann_jax.utils.files import write_json


def settings_of(
    columns: Mapping[str, np.ndarray],
    features: Features,
    make: MakeExtractor = make_extractor,
) -> dict[str, Any]:
    """The provenance of what `extract` makes, known before it is made."""
    made = [make(word, **parameters) for word, parameters in features.items()]
    if not made:
        raise CorpusError("no features are named")
    return {
        "layout": "audio",
        "dims": {extractor.name: extractor.dim for extractor in made},
        "features": {extractor.name: extractor.provenance() for extractor in made},
        "columns": _digest(columns),
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """How the features that `settings_of` names now differ from those it named.

    Other versions of packages do not count, as in `extractor.mismatch`.

    Example:
      >>> old = {"features": {"logmel": {"extractor": "logmel"}}}
      >>> differences(old, {"features": {}})
      ['logmel was made and is not asked for']
    """
    was, now = (said.get("features") or {} for said in (old, new))
    found = []
    for name in dict.fromkeys([*was, *now]):
        if name not in now:
            found.append(f"{name} was made and is not asked for")
        elif name not in was:
            found.append(f"{name} is asked for and was not made")
        elif reason := mismatch(was[name], now[name]):
            found.append(reason)
    return found


def _digest(columns: Mapping[str, np.ndarray]) -> str:
    text = json.dumps({name: column.tolist() for name, column in columns.items()})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def package_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Packages whose version differs, of features that both name."""
    was = old.get("features") or {}
    return [
        difference
        for name, made in new["features"].items()
        for difference in package_differences(was.get(name), made)
    ]


def claim(folder: epath.Path, settings: Mapping[str, Any]) -> None:
    """Make a working folder that of these features, or find that it is.

    Raises:
      CorpusError: it holds what other settings, or other versions of packages, made.
    """
    path = folder / "settings.json"
    if path.exists():
        old = read_object(path)
        # Half of a corpus by one version and half by another would be neither.
        found = differences(old, settings) + package_changes(old, settings)
        if found:
            raise CorpusError(
                f"{folder} holds features that were made in another way: "
                f"{'; '.join(found)}. Go back to the old settings, or begin again with "
                f"--renew"
            )
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    write_json(path, settings)
