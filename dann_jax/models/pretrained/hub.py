"""Where a model lies: a folder, or a place in the Hugging Face cache."""

import os
import re

from etils import epath

from dann_jax.models.pretrained.settings import PretrainedError

FILES = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
    "README.md",
    # Of a trained model, `bundle.loading`.
    "standardiser.safetensors",
    "checksums.txt",
)
"""What is fetched of a model."""

_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def find_folder(name: epath.PathLike) -> epath.Path:
    """The folder of a model.

    Args:
      name: the folder itself, or a Hugging Face name, which is looked for in the cache
        (`HF_HUB_CACHE`, `HF_HOME`) and else fetched, where `huggingface_hub` is
        installed.

    Returns:
      The folder.

    Raises:
      PretrainedError: there is none; it says where it was looked for and how to get it.
    """
    folder = epath.Path(name)
    if folder.is_dir():
        return folder
    if not _NAME.fullmatch(str(name)):
        raise PretrainedError(
            f"no such folder: {name}; give one with config.json, "
            f"preprocessor_config.json and model.safetensors, or a Hugging Face name "
            f"such as openai/whisper-base"
        )
    place = _cache() / f"models--{str(name).replace('/', '--')}"
    snapshot = _snapshot(place)
    if snapshot is None:
        snapshot = _fetch(str(name), place)
    return snapshot


def _cache() -> epath.Path:
    """Where `huggingface_hub` keeps models."""
    home = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", os.path.join(home, "huggingface"))
    cache = os.environ.get("HF_HUB_CACHE", os.path.join(home, "hub"))
    return epath.Path(os.path.expanduser(cache))


def _snapshot(place: epath.Path) -> epath.Path | None:
    """The newest state of a model in the cache that has weights; None for none."""
    reference = place / "refs" / "main"
    if not reference.exists():
        return None
    folder = place / "snapshots" / reference.read_text().strip()
    weights = (folder / "model.safetensors", folder / "model.safetensors.index.json")
    return folder if any(path.exists() for path in weights) else None


def _fetch(name: str, place: epath.Path) -> epath.Path:
    missing = f"{name} is no folder, and not in the Hugging Face cache ({place})"
    by_hand = (
        f"where there is a network, run `hf download {name}` and copy that folder, or "
        f"give a folder with the model's files"
    )
    try:
        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise PretrainedError(
            f"{missing}; to have it fetched, pip install huggingface_hub; or {by_hand}"
        ) from None
    try:
        return epath.Path(
            huggingface_hub.snapshot_download(
                name, cache_dir=str(place.parent), allow_patterns=list(FILES)
            )
        )
    except (OSError, ValueError, HfHubHTTPError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise PretrainedError(
            f"{missing}, and cannot be fetched ({reason}); {by_hand}"
        ) from None
