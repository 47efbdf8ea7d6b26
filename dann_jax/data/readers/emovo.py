"""EMOVO: six actors say fourteen Italian sentences in seven emotions.

`dis-f1-b1.wav` is disgust (disgusto), the first woman, sentence b1.

Reference: Costantini et al., EMOVO corpus: an Italian emotional speech database, LREC
2014, 3501-3504.
"""

import numpy as np
from etils import epath

from dann_jax.data.readers.filenames import Counts, read_file_names

EMOTIONS = ("dis", "gio", "neu", "pau", "rab", "sor", "tri")
EXPECTED = Counts(6, dict.fromkeys(EMOTIONS, 84))
"""Disgusto, gioia, neutrale, paura, rabbia, sorpresa, tristezza."""


def read_emovo(root: epath.PathLike) -> dict[str, np.ndarray]:
    """Read EMOVO; `emotion` is the first three letters. See `read_file_names`.

    Args:
      root: folder with `f1` ... `m3`.

    Returns:
      Column -> string array `[N]`.
    """
    return read_file_names(
        root,
        corpus="emovo",
        language="it",
        example="dis-f1-b1.wav",
        pattern=rf"(?P<emotion>{'|'.join(EMOTIONS)})-(?P<speaker>[fm][1-3])-"
        r"(?P<sentence>[a-z]\d)",
        derive=lambda row: {"gender": row["speaker"][0]},
        expected=EXPECTED,
    )
