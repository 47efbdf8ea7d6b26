"""EMO-DB: ten actors say ten German sentences in seven emotions.

`03a01Fa.wav` is speaker 03, sentence a01, emotion F (Freude), version a.

Reference: Burkhardt et al., A database of German emotional speech, Interspeech 2005,
1517-1520.
"""

from collections.abc import Mapping

import numpy as np
from etils import epath

from dann_jax.data.readers.filenames import Counts, read_file_names

EXPECTED = Counts(10, {"A": 69, "E": 46, "F": 71, "L": 81, "N": 79, "T": 62, "W": 127})
"""Angst, Ekel, Freude, Langeweile, neutral, Trauer, Wut."""

TEXTS: Mapping[str, str] = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe "
    "Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}

_MEN = ("03", "10", "11", "12", "15")


def read_emodb(root: epath.PathLike) -> dict[str, np.ndarray]:
    """Read EMO-DB; `emotion` is the letter. See `read_file_names`.

    Args:
      root: folder with `wav/03a01Fa.wav` and so on.

    Returns:
      Column -> string array `[N]`.
    """
    return read_file_names(
        root,
        corpus="emodb",
        language="de",
        example="03a01Fa.wav",
        pattern=r"(?P<speaker>03|08|09|1[0-6])(?P<sentence>[ab](?:0\d|10))"
        r"(?P<emotion>[AEFLNTW])(?P<version>[a-z]?)",
        derive=lambda row: {
            "gender": "m" if row["speaker"] in _MEN else "f",
            "text": TEXTS.get(row["sentence"], ""),
        },
        expected=EXPECTED,
    )
