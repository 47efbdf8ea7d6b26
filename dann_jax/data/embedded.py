"""The synthetic corpora, made from a seed without files."""

from collections.abc import Callable, Mapping

from etils import epath

from dann_jax.data.corpus import Corpus
from dann_jax.data.synthetic.conversations import synthetic_conversations
from dann_jax.utils.locks import locked

FEATURES: Mapping[str, Mapping[str, object]] = {"functionals": {}}
"""What the voices are prepared with."""


def prepared_voices(folder: epath.PathLike | None = None) -> Corpus:
    """Made-up voices, from sound: written as wav files and prepared once.

    Args:
      folder: where to keep recordings and store; the user's cache by default. What
        is there already is used again.

    Returns:
      Six speakers with 54 utterances each, one vector of functionals an utterance.
    """
    # Imported here: they bring TensorFlow and librosa along.
    from dann_jax.data.prepare import prepare
    from dann_jax.data.store import read_store, store_folder
    from dann_jax.data.synthetic.voices import write_voices

    home = epath.Path(folder) if folder else voices_folder()
    recordings = home / "recordings"
    # Two first runs at once are no reason to fail.
    with locked(home / "recordings.lock", wait=True):
        if not recordings.exists():
            write_voices(recordings)
    prepare(
        {"manifest": recordings},
        features=FEATURES,
        data_dir=home,
        name="voices",
        renew=True,
        wait=True,
    )
    return read_store(store_folder("voices", home))


def voices_folder() -> epath.Path:
    """Where the embedded voices are kept, in the cache of the user."""
    from dann_jax.data.store.reading import cache_folder

    return cache_folder() / "voices"


EMBEDDED: Mapping[str, Callable[[], Corpus]] = {
    "synthetic": synthetic_conversations,
    "voices": prepared_voices,
}
"""The sources of a config that are no folders."""
