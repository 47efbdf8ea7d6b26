"""The official IEMOCAP release, read into a manifest.

The release holds ratings, transcripts and audio, not features. Once features are
computed, `manifest.write_manifest` beside their `features.npz` makes a feature table.

Reference: Busso et al., IEMOCAP: interactive emotional dyadic motion capture database,
Language Resources and Evaluation 42 (2008), 335-359.
"""

import itertools
import logging
import operator
import re
from collections.abc import Iterator, Mapping

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.readers.filenames import SUFFIXES, Counts, log_differences
from dann_jax.utils.words import listed, shorten

_log = logging.getLogger(__name__)

EMOTIONS: Mapping[str, tuple[str, str]] = {
    "ang": ("anger", "anger"),
    "hap": ("happiness", "happiness"),
    "exc": ("happiness", "excitement"),
    "neu": ("neutral", "neutral"),
    "sad": ("sadness", "sadness"),
    "fru": ("frustration", "frustration"),
    "sur": ("surprise", ""),
    "fea": ("fear", ""),
    "dis": ("disgust", ""),
    "oth": ("other", ""),
    "xxx": ("no_agreement", ""),
}
"""Code in the release -> `emotion` (excitement is happiness), and `emotion6` (it is
not; empty where the word is none of the six)."""

EXPECTED = Counts(
    speakers=10,
    emotions={
        **{"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084},
        **{"frustration": 1849, "surprise": 107, "fear": 40, "disgust": 2},
        **{"other": 3, "no_agreement": 2507},
    },
)

COLUMNS = (
    *("utt_id", "session", "speaker", "gender", "dialogue", "turn"),
    *("dialogue_start", "dialogue_end", "style", "emotion", "emotion6"),
    *("valence", "activation", "dominance", "language", "corpus", "text", "file"),
)

_NUMBER = r"\d+(?:\.\d+)?"
_SUMMARY = re.compile(
    rf"\[(?P<dialogue_start>{_NUMBER}) - (?P<dialogue_end>{_NUMBER})\]\s+"
    r"(?P<utt_id>(?P<dialogue>(?P<recording>Ses0(?P<session>\d))[FM]_"
    r"(?P<style>impro|script)\w*)_(?P<voice>[FM])\d+)\s+"
    r"(?P<code>\w+)\s+"
    rf"\[(?P<valence>{_NUMBER}), (?P<activation>{_NUMBER}), (?P<dominance>{_NUMBER})\]"
)
_NUMBERS = ("dialogue_start", "dialogue_end", "valence", "activation", "dominance")
_TRANSCRIPT = re.compile(r"(?P<utt_id>\S+)\s+\[[^]]*\]:\s*(?P<text>.*)")


def read_iemocap_release(root: epath.PathLike) -> dict[str, np.ndarray]:
    """Read the labels, ratings and transcripts of the IEMOCAP release.

    Args:
      root: the folder that holds `Session1` ... `Session5`. Some of them will do.

    Returns:
      Column -> string array `[N]`, the `COLUMNS`, rows sorted by `utt_id`. `turn`
      counts the utterances of a dialogue by their start, both speakers interleaved.
      `dialogue_start` and `dialogue_end` are seconds in the recording of the dialogue,
      which `file` is cut from already; ratings are nominally 1 to 5; `text` is empty
      where an utterance has no transcript; `file` is the recording relative to `root`
      (.wav or .flac, in any case), empty where it is missing. The log counts those and
      says how the tree differs from `EXPECTED`.

    Raises:
      CorpusError: the root, its sessions or a session's evaluations are missing or
        empty, a summary line is malformed, or its emotion code is unknown.
    """
    folder = epath.Path(root)
    if not folder.is_dir():
        raise CorpusError(f"no such folder: {folder}")
    sessions = [
        path
        for path in _children(folder)
        if path.name.startswith("Session") and path.is_dir()
    ]
    if not sessions:
        raise CorpusError(
            f"{folder} holds no Session folder; expected the folder of the IEMOCAP "
            f"release that holds Session1 ... Session5"
        )
    rows = [row for session in sessions for row in _session_rows(folder, session)]
    if not rows:
        raise CorpusError(f"{folder}: no evaluation file holds a summary line")
    _number_turns(rows)
    rows.sort(key=operator.itemgetter("utt_id"))
    columns = {name: np.array([row[name] for row in rows]) for name in COLUMNS}
    log_differences("iemocap", columns, EXPECTED)
    missing = columns["utt_id"][columns["file"] == ""]
    if len(missing):
        _log.warning(
            "%s: there is no recording of %d of %d utterances: %s",
            *(folder, len(missing), len(rows), listed(missing, 3)),
        )
    return columns


def _session_rows(folder: epath.Path, session: epath.Path) -> Iterator[dict[str, str]]:
    evaluations = _children(session / "dialog" / "EmoEvaluation", ".txt")
    if not evaluations:
        raise CorpusError(
            f"{session} has no dialog/EmoEvaluation/*.txt; the emotions are read there"
        )
    texts: dict[str, str] = {}
    for path in _children(session / "dialog" / "transcriptions", ".txt"):
        lines = map(_TRANSCRIPT.match, _lines(path))
        texts.update((line["utt_id"], line["text"]) for line in lines if line)
    recordings = {
        path.stem: path.relative_to(folder).as_posix()
        for dialogue in _children(session / "sentences" / "wav")
        for path in _children(dialogue, SUFFIXES)
    }
    for path in evaluations:
        for row in _summaries(path):
            name = row["utt_id"]
            file = recordings.get(name, "")
            yield row | {"text": texts.get(name, ""), "file": file}


def _summaries(path: epath.Path) -> Iterator[dict[str, str]]:
    """The row of every summary line, without columns from other files."""
    for number, line in enumerate(_lines(path), start=1):
        # Every other line is a comment or one rater's opinion.
        if not line.startswith("["):
            continue
        match = _SUMMARY.fullmatch(line.strip())
        if not match:
            raise CorpusError(
                f"{path}, line {number}: expected '[START - END] UTTERANCE EMOTION "
                f"[VALENCE, ACTIVATION, DOMINANCE]', found {shorten(line)!r}"
            )
        row = match.groupdict()
        code = row.pop("code")
        if code not in EMOTIONS:
            raise CorpusError(
                f"{path}, line {number}: unknown emotion code {code!r}; "
                f"expected one of {', '.join(EMOTIONS)}"
            )
        row["emotion"], row["emotion6"] = EMOTIONS[code]
        # The dialogue's name has who wore the markers; the utterance's, the speaker.
        voice = row.pop("voice")
        row["speaker"], row["gender"] = row.pop("recording") + voice, voice.lower()
        row.update({name: str(float(row[name])) for name in _NUMBERS})
        yield row | {"language": "en", "corpus": "iemocap"}


def _number_turns(rows: list[dict[str, str]]) -> None:
    rows.sort(
        key=lambda row: (row["dialogue"], float(row["dialogue_start"]), row["utt_id"])
    )
    for _, turns in itertools.groupby(rows, key=operator.itemgetter("dialogue")):
        for turn, row in enumerate(turns):
            row["turn"] = str(turn)


def _children(
    folder: epath.Path, suffixes: str | tuple[str, ...] = ""
) -> list[epath.Path]:
    """What a folder holds, sorted; nothing if it is not there."""
    if not folder.is_dir():
        return []
    # macOS leaves a binary `._NAME` beside many a file of the release.
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(suffixes) and not path.name.startswith("._")
    )


def _lines(path: epath.Path) -> list[str]:
    # A stray byte in one transcript must not cost the corpus.
    return path.read_bytes().decode("utf-8", errors="replace").splitlines()
