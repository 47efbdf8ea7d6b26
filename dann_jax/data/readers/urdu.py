"""URDU: 400 turns from Urdu talk shows, in four emotions.

`SM1_F1_A01.wav` is man 1 (`SF` are women), his file 1, anger 01.

Reference: Latif et al., Cross lingual speech emotion recognition: Urdu vs. Western
languages, FIT 2018, 88-93.
"""

import numpy as np
from etils import epath

from dann_jax.data.readers.filenames import Counts, read_file_names

EXPECTED = Counts(29, dict.fromkeys("AHNS", 100))
"""The paper counts 38 speakers; the names of the published files, 29."""


def read_urdu(root: epath.PathLike) -> dict[str, np.ndarray]:
    """Read URDU; `emotion` is the letter. See `read_file_names`.

    Args:
      root: folder with `Angry`, `Happy`, `Neutral` and `Sad`, or with their files.

    Returns:
      Column -> string array `[N]`.
    """
    return read_file_names(
        root,
        corpus="urdu",
        language="ur",
        example="SM1_F1_A01.wav",
        pattern=r"(?P<speaker>S[FM]\d+)_F\d+_(?P<emotion>[AHNS])\d+",
        derive=lambda row: {"gender": row["speaker"][1].lower()},
        expected=EXPECTED,
    )
