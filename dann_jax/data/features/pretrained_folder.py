"""Where a pretrained encoder lies, and what its own card says about it."""

import os
from collections.abc import Mapping
from typing import Any

from etils import epath

from dann_jax.data.store.folders import cache_folder
from dann_jax.utils.files import write_whole


def find_encoder(
    model: epath.PathLike, folder: epath.PathLike | None, digest: str | None
) -> epath.Path:
    """The folder of a model.

    Args:
      model: a Hugging Face name, a folder, or the name of one that lay elsewhere.
      folder: where it lies, if that is known.
      digest: of the weights of a model that is known; then it may also be where this
        machine has read it before. None for a new one.

    Raises:
      PretrainedError: it is not there; the message says where it was looked for.
    """
    from dann_jax.models.pretrained import PretrainedError
    from dann_jax.models.pretrained.hub import find_folder

    if folder is not None:
        folder = epath.Path(folder).expanduser()
        if not folder.is_dir():
            raise PretrainedError(f"no such folder: {folder}")
        return folder
    path = epath.Path(model).expanduser()
    if path.is_dir():
        return path
    if digest is not None and (known := _remembered(digest)):
        return known
    if digest is not None and "/" not in os.fspath(model):
        raise PretrainedError(f"the folder {model} of the encoder is not here")
    return find_folder(model)


def model_name(model: epath.PathLike) -> str:
    """A Hugging Face name, or the name of a folder without where it lies."""
    path = epath.Path(model).expanduser()
    return os.path.basename(os.path.abspath(path)) if path.is_dir() else str(model)


def remember(digest: str, folder: epath.Path) -> None:
    """Note where a model was read, for those who know its digest alone.

    A provenance has no paths; this note is in the cache of the user and of the machine.
    """
    place, path = _note(digest), os.path.abspath(folder)
    try:
        if not place.exists() or place.read_text() != path:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, path)
    except OSError:
        # It only saves a flag.
        return


def _remembered(digest: str) -> epath.Path | None:
    place = _note(digest)
    if not place.exists():
        return None
    folder = epath.Path(place.read_text())
    return folder if folder.is_dir() else None


def _note(digest: str) -> epath.Path:
    # A bundle may hold anything for a digest.
    word = "".join(filter(str.isalnum, str(digest)))[:64]
    return cache_folder() / "encoders" / f"{word}.txt"


def card_of(folder: epath.Path) -> dict[str, Any]:
    """What the model's own card, `README.md`, states in its head of YAML.

    Args:
      folder: of the model.

    Returns:
      `licence`, text, and `datasets`, a list of text; what is not stated is not there.
    """
    try:
        head = _yaml_head((folder / "README.md").read_text())
    except (OSError, ValueError):
        return {}
    licence = head.get("license_name") or head.get("license")
    datasets = head.get("datasets")
    datasets = [datasets] if isinstance(datasets, str) else datasets
    stated = {}
    if isinstance(licence, str):
        stated["licence"] = licence
    if isinstance(datasets, list) and datasets:
        stated["datasets"] = [str(name) for name in datasets]
    return stated


def _yaml_head(text: str) -> Mapping[str, Any]:
    """The head between two lines of `---`; empty where there is none."""
    import yaml

    start, _, rest = text.partition("---\n")
    if start.strip() or "\n---" not in rest:
        return {}
    try:
        head = yaml.safe_load(rest.partition("\n---")[0])
    except yaml.YAMLError:
        return {}
    return head if isinstance(head, Mapping) else {}
