"""The corpora of audio by name, with one set of names for their emotions."""

import logging
from collections.abc import Callable, Mapping

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
from dann_jax.data.readers.crema_d import read_crema_d
from dann_jax.data.readers.emodb import read_emodb
from dann_jax.data.readers.emovo import read_emovo
from dann_jax.data.readers.iemocap import read_iemocap_release
from dann_jax.data.readers.msp_improv import read_msp_improv
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

_log = logging.getLogger(__name__)


def read_audio_corpus(
    name: str, source: epath.PathLike, emotions: epath.PathLike | None = None
) -> dict[str, np.ndarray]:
    """Read the utterances of a corpus of audio.

    Args:
      name: of the layout, in `AUDIO_CORPORA`.
      source: folder of the corpus (or a manifest).
      emotions: a map of one's own, as in `harmonise.emotion_map`.

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
    if name not in AUDIO_CORPORA:
        raise CorpusError(
            f"no corpus {name!r}; there are {', '.join(AUDIO_CORPORA)}. Audio of any "
            f"other layout is read through a manifest"
        )
    columns = clean_columns(AUDIO_CORPORA[name](source))
    report_doubts(columns, str(source))
    words, mapping = columns["emotion"], emotion_map(name, emotions)
    unknown = unknown_words(words, mapping)
    if unknown:
        _log.warning(
            "%s: %d utterances are unlabelled: %s",
            *(source, sum(unknown.values()), describe_unknown(unknown, "--emotions")),
        )
    # A manifest may have the emotion words of the corpus it was made from.
    columns.setdefault("emotion_word", words)
    return columns | {"emotion": harmonise(words, mapping)}
