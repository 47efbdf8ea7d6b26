"""Bits flipped at random in the checkpoints and the bundle of a run: who notices?

    python -m benchmarks.damage --workdir=W --flips=300

W holds a finished run; it is copied, never changed. Every flip is of one bit of one
file, all files alike, however small.
"""

import collections
import pathlib
import shutil
import tempfile

import numpy as np
from absl import app, flags

from dann_jax.bundle import load_bundle
from dann_jax.training.checkpoint import open_checkpoints

_WORKDIR = flags.DEFINE_string("workdir", None, "A finished run.", required=True)
_FLIPS = flags.DEFINE_integer("flips", 300, "Of one bit each, in each of both.")


def flip(folder: pathlib.Path, rng: np.random.Generator) -> str:
    """Change one bit of a file below the folder; return the name of the file."""
    files = sorted(path for path in folder.rglob("*") if path.stat().st_size)
    # The model card is for people, who may edit it.
    files = [path for path in files if path.is_file() and path.suffix != ".md"]
    path = files[rng.integers(len(files))]
    content = bytearray(path.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    path.write_bytes(content)
    return str(path.relative_to(folder))


def newest_noticed(folder: pathlib.Path) -> bool:
    """Whether a flip in the newest checkpoint makes the one before be taken, if any."""
    steps = sorted(int(path.name) for path in folder.iterdir())
    try:
        with open_checkpoints(folder) as checkpoints:
            return checkpoints.resume_step() != steps[-1]
    except ValueError:
        return True


def bundle_noticed(folder: pathlib.Path) -> bool:
    """Whether a flip in it makes a bundle be refused."""
    try:
        load_bundle(folder)
    except ValueError:
        return True
    return False


def main(_: list[str]) -> None:
    """Flip, read, and count."""
    run, rng = pathlib.Path(_WORKDIR.value), np.random.default_rng(0)
    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name)).name
    for what, below, noticed in (
        ("checkpoints", newest, newest_noticed),
        ("bundle", ".", bundle_noticed),
    ):
        silent: collections.Counter[str] = collections.Counter()
        for _ in range(_FLIPS.value):
            with tempfile.TemporaryDirectory() as place:
                copy = pathlib.Path(place) / what
                shutil.copytree(run / what, copy)
                name = flip(copy / below, rng)
                silent[name] += not noticed(copy)
        found = {name: count for name, count in silent.items() if count}
        print(f"{what}: {_FLIPS.value} flips, {sum(found.values())} silent {found}")


if __name__ == "__main__":
    app.run(main)
