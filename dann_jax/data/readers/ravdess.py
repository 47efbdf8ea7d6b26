"""RAVDESS, the speech part: 24 actors say two sentences in eight emotions.

`03-01-05-01-02-01-12.wav` is audio only (03), speech (01), emotion 05, intensity 01,
sentence 02, repetition 01, actor 12. Actors of an odd number are men.

Reference: Livingstone and Russo, The Ryerson audio-visual database of emotional speech
and song, PLOS ONE 13(5), 2018, e0196391.
"""

from collections.abc import Mapping

import numpy as np
from etils import epath

from dann_jax.data.readers.filenames import Counts, read_file_names

EXPECTED = Counts(24, {"01": 96} | {f"0{code}": 192 for code in range(2, 9)})
"""Neutral has one intensity only."""

TEXTS: Mapping[str, str] = {
    "01": "Kids are talking by the door",
    "02": "Dogs are sitting by the door",
}
INTENSITIES: Mapping[str, str] = {"01": "normal", "02": "strong"}


def read_ravdess(root: epath.PathLike) -> dict[str, np.ndarray]:
    """Read the speech of RAVDESS; `emotion` is the number. See `read_file_names`.

    Songs and the sound of the videos are left out. Two of the files as published,
    03-01-03-01-02-01-07 and 03-01-03-01-02-02-07, hold the same samples.

    Args:
      root: folder with `Actor_01` ... `Actor_24`.

    Returns:
      Column -> string array `[N]`.
    """
    return read_file_names(
        root,
        corpus="ravdess",
        language="en",
        example="03-01-05-01-02-01-12.wav",
        pattern=r"03-01-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<sentence>0[12])"
        r"-(?P<repetition>0[12])-(?P<speaker>[01]\d|2[0-4])",
        derive=lambda row: {
            "gender": "m" if int(row["speaker"]) % 2 else "f",
            "intensity": INTENSITIES[row["intensity"]],
            "text": TEXTS[row["sentence"]],
        },
        expected=EXPECTED,
    )
