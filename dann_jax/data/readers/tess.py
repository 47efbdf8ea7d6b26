"""TESS: two women, one older and one younger, say 200 words in seven emotions.

`OAF_back_angry.wav` is the older one, the word "back", anger; `ps` is pleasant
surprise.

Reference: Pichora-Fuller and Dupuis, Toronto emotional speech set (TESS), Scholars
Portal Dataverse, 2020, doi:10.5683/SP2/E8H2MF.
"""

import numpy as np
from etils import epath

from dann_jax.data.readers.filenames import Counts, read_file_names

EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
EXPECTED = Counts(2, dict.fromkeys(EMOTIONS, 400))


def read_tess(root: epath.PathLike) -> dict[str, np.ndarray]:
    """Read TESS; `emotion` is the word in the file name. See `read_file_names`.

    Args:
      root: folder with `OAF_back_angry.wav` and so on, in whatever folders. A second
        copy of the whole corpus inside it, as one archive has it, is left out.

    Returns:
      Column -> string array `[N]`.
    """
    return read_file_names(
        root,
        corpus="tess",
        language="en",
        example="OAF_back_angry.wav",
        # The release spells one speaker OA in OA_bite_neutral.wav.
        pattern=rf"(?P<speaker>OAF?|YAF)_(?P<sentence>[A-Za-z-]+)_"
        rf"(?P<emotion>{'|'.join(EMOTIONS)})",
        derive=lambda row: {
            "speaker": "YAF" if row["speaker"] == "YAF" else "OAF",
            "gender": "f",
            "text": f"Say the word {row['sentence']}.",
        },
        expected=EXPECTED,
    )
