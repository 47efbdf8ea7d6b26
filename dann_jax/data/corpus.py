"""A corpus: columns of text and arrays of features, row by row."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from dann_jax.data.frames import Frames
from dann_jax.data.identifiers import clean_columns
from dann_jax.utils.words import listed, shorten


class CorpusError(ValueError):
    """The data on disk is invalid; the message says where and how."""


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """`N` utterances with their metadata and precomputed features.

    Attributes:
      name: what to call it in tables.
      columns: metadata, column -> string array `[N]`; `utt_id` and `speaker` always,
        empty strings where a value is not known.
      features: modality -> float array `[N, dim]`, or `Frames` where an utterance has
        a vector for every frame.
      present: modality -> bool `[N]`; False where an utterance lacks the modality.
      provenance: how the features were made; travels with every result.
    """

    name: str
    columns: Mapping[str, np.ndarray]
    features: Mapping[str, np.ndarray | Frames]
    present: Mapping[str, np.ndarray]
    provenance: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["utt_id"])

    def column(self, name: str) -> np.ndarray:
        """The column `[N]`; an error lists the columns that exist."""
        if name not in self.columns:
            raise CorpusError(
                f"corpus {self.name!r} has no column {name!r}; "
                f"it has {', '.join(sorted(self.columns))}"
            )
        return self.columns[name]

    def numbers(self, name: str) -> np.ndarray:
        """The column as float64 `[N]`; NaN where it is empty."""
        column = self.column(name)
        try:
            return np.where(column == "", "nan", column).astype(np.float64)
        except ValueError as error:
            raise CorpusError(
                f"corpus {self.name!r}: column {name!r} must hold numbers: {error}"
            ) from None

    def dialogues(self) -> list[np.ndarray]:
        """Row indices `[turns]` of every dialogue, in the order of its turns.

        An utterance without a dialogue (an empty value, or no column `dialogue`) is a
        dialogue of one turn.
        """
        groups = self._dialogue_numbers()
        order = (
            self.turn_order() if "dialogue" in self.columns else np.arange(len(self))
        )
        grouped = order[np.argsort(groups[order], kind="stable")]
        return np.split(grouped, np.cumsum(np.bincount(groups))[:-1])

    def _dialogue_numbers(self) -> np.ndarray:
        """Index of each row's dialogue: 0, 1, ..., `[N]`."""
        alone = np.array([f"\0{row}" for row in range(len(self))])
        names = self.columns.get("dialogue", np.full(len(self), ""))
        return np.unique(np.where(names == "", alone, names), return_inverse=True)[1]

    def turn_order(self) -> np.ndarray:
        """Row indices `[N]` by `turn`, else by `start` (empty last), else in order."""
        for name in ("turn", "start"):
            if name in self.columns:
                return np.argsort(self.numbers(name), kind="stable")
        return np.arange(len(self))

    def parties(self) -> np.ndarray:
        """Index of each row's speaker within its dialogue: 0, 1, ..., int32 `[N]`."""
        names, speakers = np.unique(self.columns["speaker"], return_inverse=True)
        dialogues = self._dialogue_numbers()
        # Pairs in order: those of a dialogue stand together, its first speaker first.
        pairs, number = np.unique(
            dialogues * len(names) + speakers, return_inverse=True
        )
        first = np.searchsorted(pairs, dialogues * len(names))
        return (number - first).astype(np.int32)

    def num_frames(self) -> np.ndarray:
        """Frames of each utterance, of the modality with the most, int64 `[N]`.

        0 where no feature has a time axis.
        """
        counts = np.zeros(len(self), np.int64)
        for name, array in self.features.items():
            if isinstance(array, Frames):
                counts = np.maximum(counts, array.lengths * self.present[name])
        return counts

    def select(self, modalities: tuple[str, ...]) -> "Corpus":
        """The same corpus with these modalities only, in this order."""
        missing = [name for name in modalities if name not in self.features]
        if missing or not modalities:
            raise CorpusError(
                f"corpus {self.name!r} has no modality "
                f"{', '.join(missing) or '(none named)'}; "
                f"it has {', '.join(sorted(self.features))}"
            )
        return dataclasses.replace(
            self,
            features={name: self.features[name] for name in modalities},
            present={name: self.present[name] for name in modalities},
        )


def corpus_name(columns: Mapping[str, np.ndarray], limit: int = 4) -> str:
    """Name of the rows of one corpus or of several; empty without a column `corpus`.

    Args:
      columns: column -> string array `[N]`.
      limit: more names than this are counted, not listed.

    Example:
      >>> corpus_name({"corpus": np.array(["urdu", "emodb", "urdu"])})
      'emodb, urdu'
      >>> corpus_name({"corpus": np.arange(7).astype(str)})
      '7 corpora'
    """
    if "corpus" not in columns:
        return ""
    names = np.unique(columns["corpus"][columns["corpus"] != ""]).tolist()
    return f"{len(names)} corpora" if len(names) > limit else ", ".join(names)


def corpora_of(corpus: Corpus) -> list[str]:
    """Names of the corpora in a combined corpus, or of the corpus itself."""
    if corpus.name != corpus_name(corpus.columns):
        return [corpus.name]
    return np.unique(corpus.columns["corpus"][corpus.columns["corpus"] != ""]).tolist()


def with_clean_columns(corpus: Corpus) -> Corpus:
    """The corpus with one spelling of every name: see `clean_columns`.

    Raises:
      CorpusError: an id is empty, or two are the same.
    """
    columns = clean_columns(corpus.columns)
    _require_ids(corpus.name, columns["utt_id"])
    return dataclasses.replace(corpus, columns=columns)


def _require_ids(name: str, ids: np.ndarray) -> None:
    if (ids == "").any():
        row = np.flatnonzero(ids == "")[0] + 1
        raise CorpusError(f"corpus {name!r}: the utt_id of row {row} is empty")
    values, counts = np.unique(ids, return_counts=True)
    if (counts > 1).any():
        raise CorpusError(
            f"corpus {name!r}: {(counts > 1).sum()} utterance ids occur more than "
            f"once: {listed(map(shorten, values[counts > 1]))}"
        )


def check(corpus: Corpus) -> Corpus:
    """Return the corpus if it can be trained on; raise `CorpusError` if it cannot."""
    ids = corpus.column("utt_id")
    if not len(ids):
        raise CorpusError(f"corpus {corpus.name!r} has no utterances")
    corpus.column("speaker")
    for name, column in corpus.columns.items():
        _require_rows(corpus, f"column {name!r}", len(column))
    _require_ids(corpus.name, ids)
    for name, array in corpus.features.items():
        _require_rows(corpus, f"array {name!r}", len(array))
        if not array.shape[-1]:
            raise CorpusError(f"corpus {corpus.name!r}: {name!r} has 0 values a row")
        bad = ~_finite_rows(array) & corpus.present[name]
        if bad.any():
            raise CorpusError(
                f"corpus {corpus.name!r}: {bad.sum()} rows of {name!r} hold NaN or "
                f"infinite values: {listed(map(shorten, ids[bad]))}"
            )
    return corpus


def _finite_rows(array: np.ndarray | Frames) -> np.ndarray:
    """Which utterances hold no NaN and no infinity, bool `[N]`."""
    if isinstance(array, Frames):
        # One at a time: the values may be larger than the memory.
        return np.array([np.isfinite(array.row(n)).all() for n in range(len(array))])
    finite = np.isfinite(np.asarray(array, np.float32))
    return np.all(finite.reshape(len(array), -1), axis=1)


def _require_rows(corpus: Corpus, what: str, rows: int) -> None:
    if rows != len(corpus):
        raise CorpusError(
            f"corpus {corpus.name!r}: {what} has {rows} rows, "
            f"the manifest has {len(corpus)}"
        )
