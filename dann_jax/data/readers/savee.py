"""SAVEE: four British men say TIMIT sentences in seven emotions.

`DC_a01.wav`, or `DC/a01.wav`, is speaker DC, anger, sentence 01 of that emotion.

Reference: Haq and Jackson, Speaker-dependent audio-visual emotion recognition, AVSP
2009, 53-58.
"""

import numpy as np
from etils import epath

from dann_jax.data.readers.filenames import Counts, read_file_names

EXPECTED = Counts(4, {"n": 120} | dict.fromkeys(("a", "d", "f", "h", "sa", "su"), 60))


def read_savee(root: epath.PathLike) -> dict[str, np.ndarray]:
    """Read the audio of SAVEE; `emotion` is the letters. See `read_file_names`.

    Args:
      root: folder with `DC`, `JE`, `JK` and `KL`, or with `DC_a01.wav` and so on.

    Returns:
      Column -> string array `[N]`.
    """
    return read_file_names(
        root,
        corpus="savee",
        language="en",
        example="DC/a01.wav",
        pattern=r"(?P<speaker>DC|JE|JK|KL)[/_](?P<emotion>sa|su|[adfhn])"
        r"(?P<sentence>\d\d)",
        derive=lambda row: {
            "utt_id": f"{row['speaker']}_{row['emotion']}{row['sentence']}",
            "gender": "m",
        },
        expected=EXPECTED,
    )
