"""Random bits flipped in the files of a store and of its cache: is one silent?

    python -m benchmarks.flipped_bits --flips=300

Of each flip it says what came of it: `refused` (an error that names the file), `made
again` (the cache, with equal arrays), `harmless` (nothing was said, all arrays and all
words are equal), or `silent`, which must not be.
"""

import argparse
import logging
import os
import pathlib
import shutil
import tempfile
from collections import Counter

import numpy as np


def main() -> None:
    """Flip and count."""
    from dann_jax.data.store import read_store, write_store

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    logging.getLogger("dann_jax").setLevel(logging.ERROR)
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(root / "cache")
        notes = {"problems.csv": "utt_id,file,severity,reason\n"}
        store = pathlib.Path(write_store(made_up(rng), root / "data", notes=notes))
        expected = read_store(store)
        (cache,) = (root / "cache" / "dann_jax" / "stores").iterdir()
        for number in range(chosen.flips):
            where = ("store", "cache")[number % 2]
            if where == "cache":
                outcome = flipped_cache(rng, cache, store, expected)
            else:
                outcome = flipped_store(rng, root, store, expected)
            counts[where, outcome] += 1
    for (where, outcome), number in sorted(counts.items()):
        print(f"{where}: {outcome} {number}")


def flipped_store(
    rng: np.random.Generator, root: pathlib.Path, store: pathlib.Path, expected: object
) -> str:
    """What a reader without a cache says of a store with one bit flipped."""
    from dann_jax.data.corpus import CorpusError
    from dann_jax.data.store import read_store

    copy = root / "copy"
    shutil.copytree(store, copy)
    name = flip(rng, copy)
    # The cache of the whole store would be taken for its own.
    home = os.environ["XDG_CACHE_HOME"]
    os.environ["XDG_CACHE_HOME"] = str(root / "another")
    try:
        found = read_store(copy)
    except CorpusError as error:
        return "refused" if name in str(error) else f"refused without {name}"
    finally:
        os.environ["XDG_CACHE_HOME"] = home
        for folder in (copy, root / "another"):
            shutil.rmtree(folder, ignore_errors=True)
    return "harmless" if equal(found, expected) else "silent"


def flipped_cache(
    rng: np.random.Generator, cache: pathlib.Path, store: pathlib.Path, expected: object
) -> str:
    """What a reader says of a cache with one bit flipped."""
    from dann_jax.data.store import read_store

    before = cache.stat().st_mtime_ns
    flip(rng, cache)
    found = read_store(store)
    if not equal(found, expected):
        return "silent"
    return "harmless" if cache.stat().st_mtime_ns == before else "made again"


def flip(rng: np.random.Generator, folder: pathlib.Path) -> str:
    """Flip one bit of one file and keep its time, as a disk that errs does."""
    path = rng.choice(sorted(folder.iterdir()))
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return path.name


def made_up(rng: np.random.Generator) -> object:
    """A corpus of 40 utterances with vectors and frames."""
    from dann_jax.data.corpus import Corpus
    from dann_jax.data.frames import Frames

    ids = np.array([f"u{n}" for n in range(40)])
    lengths = rng.integers(1, 9, 40)
    return Corpus(
        name="made up",
        columns={"utt_id": ids, "speaker": np.array([f"s{n % 4}" for n in range(40)])},
        features={
            "vectors": rng.normal(size=(40, 8)).astype(np.float32),
            "frames": Frames(
                rng.normal(size=(lengths.sum(), 4)).astype(np.float32), lengths
            ),
        },
        present={name: np.ones(40, bool) for name in ("vectors", "frames")},
        provenance={"extractor": "dice"},
    )


def equal(found: object, expected: object) -> bool:
    """Whether two corpora are the same to the last bit."""
    from dann_jax.utils.files import digest_array

    def digests(corpus: object) -> dict[str, str]:
        values = {k: getattr(v, "values", v) for k, v in corpus.features.items()}
        lengths = {
            f"{k}/n": v.lengths
            for k, v in corpus.features.items()
            if hasattr(v, "lengths")
        }
        present = {f"{k}/present": v for k, v in corpus.present.items()}
        arrays = {**corpus.columns, **values, **lengths, **present}
        return {name: digest_array(np.asarray(array)) for name, array in arrays.items()}

    same = found.provenance == expected.provenance and found.name == expected.name
    return same and digests(found) == digests(expected)


if __name__ == "__main__":
    main()
