"""MSP-IMPROV: twelve actors improvise, and read, in six sessions of two.

`MSP-IMPROV-S01A-F01-P-FM01.wav` is sentence 01 meant angrily, the woman of session 01,
a natural exchange (P), turn FM01. The speaker is taken from the fourth field, as the
published recipes do. The listeners' ratings are in `Evaluation.txt` (`Evalution.txt` in
some copies), one line a file:

```
UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:2.8; V:3.4; D:2.6 ; N:4.0;
```

Reference: Busso et al., MSP-IMPROV: an acted corpus of dyadic interactions to study
emotion perception, IEEE Transactions on Affective Computing 8(1), 2017, 67-80.
"""

import logging
import re
from collections.abc import Iterator, Mapping

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.readers.filenames import Counts, read_file_names

EXPECTED = Counts(12, {"A": 792, "H": 2644, "N": 3477, "S": 885, "O": 85, "X": 555})
"""Anger, happiness, neutral, sadness, other, no agreement: Table 4 of the paper."""

STYLES: Mapping[str, str] = {
    "P": "natural",
    "R": "read",
    "S": "improvised target",
    "T": "improvised",
}
RATINGS: Mapping[str, str] = {"A": "activation", "V": "valence", "D": "dominance"}

_SUMMARY = re.compile(
    r"(?:UTD|MSP)-IMPROV-(?P<name>\S+?)\.(?:avi|wav)\s*;\s*(?P<emotion>[A-Z])\s*;"
    r"(?P<ratings>(?:\s*[A-Z]\s*:\s*(?:\d+(?:\.\d+)?|NaN)\s*;?)+)",
)
_RATING = re.compile(r"([A-Z])\s*:\s*(\d+(?:\.\d+)?)")
_NAME = (
    r"(?P<utt_id>MSP-IMPROV-S(?P<sentence>\d\d)[AHNS]-(?P<speaker>[FM](?P<session>\d\d))"
    r"-(?P<style>[PRST])-[FM]{2}\d+)"
)
_UNHEARD = dict.fromkeys(("emotion", *RATINGS.values()), "")

_log = logging.getLogger(__name__)


def read_msp_improv(root: epath.PathLike) -> dict[str, np.ndarray]:
    """Read MSP-IMPROV; `emotion` is the letter that most listeners chose.

    Args:
      root: folder with the evaluation file and the sessions, both at any depth.

    Returns:
      Column -> string array `[N]` as `read_file_names`, with `session`, `style` and
      the mean ratings `valence`, `activation` and `dominance`, nominally 1 to 5. A file
      that the evaluation does not mention has none, and no emotion; the log counts
      them.

    Raises:
      CorpusError: there is no folder, evaluation or audio file, or a line of the
        evaluation is malformed.
    """
    summaries = dict(_summaries(_evaluation(epath.Path(root))))
    columns = read_file_names(
        root,
        corpus="msp_improv",
        language="en",
        example="MSP-IMPROV-S01A-F01-P-FM01.wav",
        pattern=_NAME,
        derive=lambda row: {
            "gender": row["speaker"][0].lower(),
            "session": str(int(row["session"])),
            "style": STYLES[row["style"]],
            **summaries.get(row["utt_id"], _UNHEARD),
        },
        expected=EXPECTED,
    )
    without_evaluation = [name for name in columns["utt_id"] if name not in summaries]
    if without_evaluation:
        _log.warning(
            "%s: the evaluation lacks %d files, such as %s",
            *(root, len(without_evaluation), without_evaluation[0]),
        )
    return columns


def _evaluation(folder: epath.Path) -> epath.Path:
    if not folder.is_dir():
        raise CorpusError(f"no such folder: {folder}")
    files = [
        directory / name
        for directory, _, names in folder.walk()
        for name in names
        if name in ("Evaluation.txt", "Evalution.txt")
    ]
    if not files:
        raise CorpusError(
            f"{folder} has no Evaluation.txt (nor Evalution.txt); the emotions are "
            f"read there"
        )
    return min(files)


def _summaries(path: epath.Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Name of a file, and the summary of its listeners' ratings."""
    lines = path.read_bytes().decode("utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        # Every other line is one listener's opinion.
        if not line.strip().upper().startswith(("UTD-IMPROV", "MSP-IMPROV")):
            continue
        match = _SUMMARY.fullmatch(line.strip())
        if not match:
            raise CorpusError(
                f"{path}, line {number}: expected 'UTD-IMPROV-NAME.avi; EMOTION; "
                f"A:ACTIVATION; V:VALENCE; D:DOMINANCE; ...', found {line!r}"
            )
        ratings = dict(_RATING.findall(match["ratings"]))
        yield (
            f"MSP-IMPROV-{match['name']}",
            {"emotion": match["emotion"]}
            | {
                name: str(float(ratings[letter])) if letter in ratings else ""
                for letter, name in RATINGS.items()
            },
        )
