"""Open a corpus by its name, folder or file."""

import logging
from collections.abc import Mapping, Sequence

from etils import epath

from dann_jax.data.corpus import Corpus, with_clean_columns
from dann_jax.data.dimensions import with_dimensions
from dann_jax.data.doubts import report_doubts
from dann_jax.data.embedded import EMBEDDED
from dann_jax.data.harmonise import with_emotions
from dann_jax.data.joined import with_target
from dann_jax.data.layers import keep_layers
from dann_jax.data.normalise import standardise_by as standardised_by
from dann_jax.data.readers.conversation_pickle import read_conversation_pickle
from dann_jax.data.readers.table import read_feature_table
from dann_jax.data.selection import keep_rows
from dann_jax.data.store_source import edits_since
from dann_jax.utils.arguments import require

_log = logging.getLogger(__name__)


def open_corpus(
    source: epath.PathLike,
    *,
    modalities: Sequence[str] = (),
    layers: Sequence[int] = (),
    standardise_by: str = "",
    rows: Mapping[str, Sequence[str]] = {},
    emotions: epath.PathLike = "",
    labels: Sequence[str] = (),
    target: epath.PathLike = "",
) -> Corpus:
    """Read the corpus that `source` names, and add the columns of `with_dimensions`.

    Names have one spelling afterwards (`identifiers.clean_columns`) and emotions one
    word each (`harmonise.with_emotions`); the log names what only a person can decide.

    Args:
      source: a word of `EMBEDDED`, the folder of a feature table, that of a
        prepared store (or the folder above it, for its newest version), or the
        `.pkl` of a tuple of conversation features.
      modalities: to keep; all of them by default.
      layers: of features that have several (those of a pretrained encoder), the ones
        to keep, as if no others had been prepared; all of them by default.
      standardise_by: a column, such as `speaker`, within whose values the features
        are standardised; not at all by default. It makes every result transductive.
      rows: column -> values; rows with others are not there, to nothing that follows:
        see `keep_rows`.
      emotions: a map of one's own from words to emotions, as in
        `harmonise.emotion_map`.
      labels: words that the column `emotion` keeps, whatever maps have for them:
        the classes of the protocol.
      target: a second source, of the recordings to adapt to; its features must be made
        as those of `source`. The column `side` tells the two apart; `rows` chooses
        among the rows of the first alone.

    Example:
      >>> corpus = open_corpus("synthetic", modalities=["acoustic"])
      >>> list(corpus.features), "emotion" in corpus.columns
      (['acoustic'], True)
    """
    corpus = _read(source, emotions, labels)
    if modalities:
        corpus = corpus.select(tuple(modalities))
    require("data.layers", layers, Sequence[int])
    if layers:
        corpus = keep_layers(corpus, layers)
    corpus = keep_rows(corpus, rows)
    if target:
        other = _read(target, emotions, labels).select(tuple(corpus.features))
        corpus = with_target(corpus, keep_layers(other, layers) if layers else other)
    return standardised_by(corpus, standardise_by) if standardise_by else corpus


def _read(
    source: epath.PathLike, emotions: epath.PathLike, labels: Sequence[str]
) -> Corpus:
    """A corpus with clean names, known emotions and all of its modalities."""
    if source in EMBEDDED:
        corpus = EMBEDDED[str(source)]()
    elif stores := _stores(epath.Path(source)):
        # Imported here: it brings TensorFlow along.
        from dann_jax.data.store import read_store

        corpus = read_store(stores[-1])
        if edits := edits_since(stores[-1]):
            _log.warning(
                "%s: since it was made, %s; the data are read as they were then: "
                "dann-prepare --renew, with the flags of then, takes up the changes",
                *(source, "; ".join(edits)),
            )
    elif epath.Path(source).suffix.lower() in (".pkl", ".pickle"):
        corpus = read_conversation_pickle(source)
    else:
        corpus = read_feature_table(source)
    # A store may have been written before names had one spelling.
    corpus = with_clean_columns(corpus)
    require("protocol.labels", labels, Sequence[str])
    report_doubts(corpus.columns, str(source))
    return with_dimensions(with_emotions(corpus, labels, emotions or None))


def is_corpus(source: epath.PathLike) -> bool:
    """Whether `open_corpus` can read it: it has features, and is no mere recording."""
    path = epath.Path(source)
    table = path / "manifest.csv"
    arrays = table.exists() and any(
        file.suffix in (".npz", ".npy") for file in path.iterdir()
    )
    is_pickle = path.suffix.lower() in (".pkl", ".pickle")
    return source in EMBEDDED or is_pickle or arrays or bool(_stores(path))


def _stores(folder: epath.Path) -> list[epath.Path]:
    """The folder itself or its versions, if they are stores; oldest first."""
    if not folder.is_dir():
        return []
    folders = [folder, *sorted(folder.iterdir())]
    return [
        candidate for candidate in folders if (candidate / "dataset_info.json").exists()
    ]
