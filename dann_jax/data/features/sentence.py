"""Embeddings of transcripts by a model of sentence-transformers."""

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from etils import epath

from dann_jax.data.features.extractor import Extractor


def sentence(
    *, model: str, normalise: bool = True, digest: str | None = None
) -> Extractor:
    """The embedding of the transcript, float32 `[dim]`.

    Provenance holds the name of the model's folder and a digest of what is in it, not
    where it lies. The model is loaded when the first transcript is computed.

    Args:
      model: folder of a model as sentence-transformers saves it.
      normalise: scale every embedding to length 1.
      digest: that the content of the folder must have, as provenance records it.

    Returns:
      The extractor; its `compute` takes a string.

    Raises:
      ValueError: the folder holds no such model, or one of another digest.
      ModuleNotFoundError: from `compute`, if sentence-transformers is not installed.
    """
    folder = epath.Path(model).expanduser()
    dim = _embedding_size(folder)
    about = {
        "model": folder.name,
        "digest": _digest(folder),
        "normalise": normalise,
    }
    if digest not in (None, about["digest"]):
        raise ValueError(
            f"{folder} holds another model: its digest is {about['digest']}, "
            f"{digest} is needed"
        )

    def encode(text: str) -> np.ndarray:
        return _load(str(folder)).encode(text, show_progress_bar=False)

    return from_encoder(encode, dim=dim, parameters=about)


def from_encoder(
    encode: Callable[[str], Any], *, dim: int, parameters: Mapping[str, Any]
) -> Extractor:
    """An extractor of text around any function from a string to a vector.

    Args:
      encode: from a transcript without white space around it to numbers `[dim]`.
      dim: size of the vector.
      parameters: everything the values depend on, plain JSON values; with
        `normalise` true, vectors are scaled to length 1.

    Returns:
      The extractor; its `compute` raises `ValueError` for an empty transcript and for
      a vector of another size or with values that are not finite.

    Example:
      >>> counts = lambda text: [len(text), text.count(" ")]
      >>> made = from_encoder(counts, dim=2, parameters={"normalise": True})
      >>> made.compute(" abc ").tolist()
      [1.0, 0.0]
    """

    def compute(text: str) -> np.ndarray:
        if not text.strip():
            raise ValueError("the transcript is empty: it has no sentence embedding")
        values = np.asarray(encode(text.strip()), np.float32)
        if values.shape != (dim,) or not np.isfinite(values).all():
            raise ValueError(
                f"the sentence model made values of shape {values.shape}, finite: "
                f"{bool(np.isfinite(values).all())}; wanted {dim} finite ones"
            )
        if parameters.get("normalise"):
            values = values / max(float(np.linalg.norm(values)), 1e-12)
        return values

    return Extractor(
        name="sentence",
        version=1,
        parameters=dict(parameters),
        dim=dim,
        framewise=False,
        compute=compute,
        sample_rate=None,
        packages=("sentence-transformers", "transformers", "torch"),
    )


def _embedding_size(folder: epath.Path) -> int:
    """Embedding size of the last module that changes it, from the model's config."""
    listing = folder / "modules.json"
    if not listing.exists():
        raise ValueError(
            f"{folder} is no folder of a sentence-transformers model: it has no "
            "modules.json"
        )
    size = None
    for module in json.loads(listing.read_text()):
        notes = folder / module["path"] / "config.json"
        about = json.loads(notes.read_text()) if notes.exists() else {}
        for key in ("hidden_size", "word_embedding_dimension", "out_features"):
            size = about.get(key, size)
    if not isinstance(size, int):
        raise ValueError(f"{listing}: no module has the size of the embeddings")
    return size


def _digest(folder: epath.Path) -> str:
    """Of the names and contents of all files but notes to people."""
    total = hashlib.sha256()
    for path in _files(folder):
        total.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:16]


def _files(folder: epath.Path) -> Iterator[epath.Path]:
    """All files below, in one order everywhere, but hidden ones and Markdown."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix == ".md":
            continue
        if path.is_dir():
            yield from _files(path)
        else:
            yield path


@functools.lru_cache(maxsize=1)
def _load(folder: str) -> Any:
    try:
        import sentence_transformers
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "sentence needs the package sentence-transformers: "
            "pip install 'dann_jax[sentence]'"
        ) from None
    return sentence_transformers.SentenceTransformer(folder, device="cpu")
