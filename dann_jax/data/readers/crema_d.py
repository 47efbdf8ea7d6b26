"""CREMA-D: 91 actors say twelve English sentences in six emotions.

`1001_DFA_ANG_XX.wav` is actor 1001, sentence DFA, anger, of unspecified intensity.

Reference: Cao et al., CREMA-D: crowd-sourced emotional multimodal actors dataset, IEEE
Transactions on Affective Computing 5(4), 2014, 377-390. The actors' sex is that of its
`VideoDemographics.csv`.
"""

from collections.abc import Mapping

import numpy as np
from etils import epath

from dann_jax.data.readers.filenames import Counts, read_file_names

EXPECTED = Counts(
    91, {"NEU": 1087} | dict.fromkeys(("ANG", "DIS", "FEA", "HAP", "SAD"), 1271)
)

TEXTS: Mapping[str, str] = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
INTENSITIES: Mapping[str, str] = {"LO": "low", "MD": "medium", "HI": "high"}

WOMEN = frozenset(
    (
        *(1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018),
        *(1020, 1021, 1024, 1025, 1028, 1029, 1030, 1037, 1043, 1046, 1047),
        *(1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060, 1061, 1063, 1072),
        *(1073, 1074, 1075, 1076, 1078, 1079, 1082, 1084, 1089, 1091),
    )
)


def read_crema_d(root: epath.PathLike) -> dict[str, np.ndarray]:
    """Read the audio of CREMA-D; `emotion` is the code. See `read_file_names`.

    Args:
      root: folder with `AudioWAV`.

    Returns:
      Column -> string array `[N]`.
    """
    return read_file_names(
        root,
        corpus="crema_d",
        language="en",
        example="1001_DFA_ANG_XX.wav",
        # One file of the release, 1040_ITH_SAD_X, lacks a letter.
        pattern=r"(?P<speaker>10\d\d)_(?P<sentence>[A-Z]{3})_"
        r"(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<intensity>LO|MD|HI|XX?)",
        derive=lambda row: {
            "gender": gender(row["speaker"]),
            "intensity": INTENSITIES.get(row["intensity"], ""),
            "text": TEXTS.get(row["sentence"], ""),
        },
        expected=EXPECTED,
    )


def gender(speaker: str) -> str:
    """Of an actor: `f` or `m`.

    >>> gender("1001"), gender("1002")
    ('m', 'f')
    """
    return "f" if int(speaker) in WOMEN else "m"
