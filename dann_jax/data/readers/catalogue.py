"""The corpora of audio by name, with one set of names for their emotions."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.doubts import report_doubts
from dann_jax.data.harmonise import (
    describe_unknown,
    emotion_map,
    harmonise,
    unknown_words,
)
from dann_jax.data.identifiers import clean_columns
from dann_jax.data.manifest import read_audio_manifest
from dann_jax.data.raters import VOTES
from dann_jax.data.readers.audiofolder import read_splits, splits_of
from dann_jax.data.readers.crema_d import read_crema_d
from dann_jax.data.readers.emodb import read_emodb
from dann_jax.data.readers.emovo import read_emovo
from dann_jax.data.readers.folders import read_folders
from dann_jax.data.readers.iemocap import read_iemocap_release
from dann_jax.data.readers.msp_improv import read_msp_improv
from dann_jax.data.readers.rated import warn_of_several, with_votes
from dann_jax.data.readers.ravdess import read_ravdess
from dann_jax.data.readers.savee import read_savee
from dann_jax.data.readers.tess import read_tess
from dann_jax.data.readers.urdu import read_urdu

AUDIO_CORPORA: Mapping[str, Callable[[epath.PathLike], dict[str, np.ndarray]]] = {
    "manifest": read_audio_manifest,
    "crema_d": read_crema_d,
    "emodb": read_emodb,
    "emovo": read_emovo,
    "iemocap": read_iemocap_release,
    "msp_improv": read_msp_improv,
    "ravdess": read_ravdess,
    "savee": read_savee,
    "tess": read_tess,
    "urdu": read_urdu,
}
"""Name -> reader: folder -> column -> string array `[N]`."""

FOLDERS, MANIFEST, PARQUET = "folders", "manifest", "parquet"
AUDFORMAT = "audformat"
LAYOUTS = (*AUDIO_CORPORA, FOLDERS)
"""What `read_audio_corpus` reads."""


class Reading(NamedTuple):
    """How tables and folders of one's own are read.

    Attributes:
      table: of the layout `manifest`, where it does not lie beside the recordings.
      columns: of a manifest: name in the table -> that of the column.
      emotion: of `folders`: the regular expression that finds it; see `read_folders`.
      speaker: likewise; empty for nobody.
      raters: columns of a manifest that hold what several raters said, as in
        `raters.column_of_votes`.
    """

    table: epath.PathLike | None = None
    columns: Mapping[str, str] = {}
    emotion: str | None = None
    speaker: str | None = None
    raters: Sequence[str] = ()


AS_IT_COMES = Reading()

_log = logging.getLogger(__name__)


def read_audio_corpus(
    name: str,
    source: epath.PathLike,
    emotions: epath.PathLike | None = None,
    reading: Reading = AS_IT_COMES,
) -> dict[str, np.ndarray]:
    """Read the utterances of a corpus of audio.

    Args:
      name: of the layout, in `LAYOUTS`.
      source: folder of the corpus (or a manifest).
      emotions: a map of one's own, as in `harmonise.emotion_map`.
      reading: of the layouts `manifest` and `folders`.

    Returns:
      Column -> string array `[N]`, rows sorted by `utt_id`: `utt_id`, `file` (relative
      to the folder; empty where an utterance has no audio), `speaker`, `emotion` (one
      of `harmonise.EMOTIONS`, or empty) and `emotion_word` (the corpus' own), and what
      the corpus knows of `gender` (f, m), `language`, `corpus`, `session`, `dialogue`,
      `turn`, `style`, `sentence`, `text`, `valence`, `activation`, `dominance`,
      `intensity`, and `start` and `end` of a cut inside the file, in seconds. The log
      counts the words that the map does not know.

    Raises:
      CorpusError: there is no such layout, or the corpus cannot be read.
    """
    if name not in LAYOUTS:
        raise CorpusError(
            f"no corpus {name!r}; there are "
            f"{', '.join((*LAYOUTS, PARQUET, AUDFORMAT))}. Audio of any other layout "
            f"is read as {FOLDERS} or through a {MANIFEST}"
        )
    mapping = emotion_map(MANIFEST if name == FOLDERS else name, emotions)
    columns = clean_columns(_read(name, source, mapping, reading))
    report_doubts(columns, str(source))
    if reading.raters or VOTES in columns:
        columns = with_votes(columns, reading.raters, mapping, source)
    words = columns["emotion"]
    unknown = unknown_words(words, mapping)
    warn_of_several(unknown, mapping, source)
    if unknown:
        _log.warning(
            "%s: %d utterances are unlabelled: %s",
            *(source, sum(unknown.values()), describe_unknown(unknown, "--emotions")),
        )
    # A manifest may have the emotion words of the corpus it was made from.
    columns.setdefault("emotion_word", words)
    return columns | {"emotion": harmonise(words, mapping)}


def _read(
    name: str, source: epath.PathLike, known: Mapping[str, str], reading: Reading
) -> dict[str, np.ndarray]:
    if name == FOLDERS:
        return read_folders(
            source, known=known, emotion=reading.emotion, speaker=reading.speaker
        )
    if name == MANIFEST:
        given, labelled = reading.columns, not reading.raters
        if not reading.table and splits_of(source):
            return read_splits(source, given, labelled=labelled)
        return read_audio_manifest(
            source, table=reading.table, given=given, labelled=labelled
        )
    return AUDIO_CORPORA[name](source)
