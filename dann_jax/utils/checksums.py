"""Checksums of the files of a folder, written last: what has them is complete.

No need of this package to check them: `b2sum --length=128 --check checksums.txt`.
"""

from collections.abc import Collection, Iterator, Sequence

from etils import epath

from dann_jax.utils.files import digest_file, write_whole

CHECKSUMS = "checksums.txt"


def write_checksums(folder: epath.Path, names: Sequence[str] = ()) -> None:
    """Write the checksums of these files of a folder, by default of all in it.

    Args:
      folder: whose files are written, and are on the disk.
      names: relative to it.
    """
    names = names or sorted(set(_files(folder)) - {CHECKSUMS})
    lines = [f"{digest_file(folder / name)}  {name}\n" for name in names]
    write_whole(folder / CHECKSUMS, "".join(lines))


def damaged_file(folder: epath.Path, names: Collection[str] = ()) -> str | None:
    """A file of the folder that is not as it was when it got its checksum, or None.

    Files that were laid beside them later do not matter.

    Args:
      folder: whose files have checksums.
      names: of the files to compare; all of them by default.

    Raises:
      OSError: a file is there and cannot be read: that says nothing of its bits.
    """
    # A flipped bit makes text that is none, half a line, or the name of no file.
    try:
        lines = (folder / CHECKSUMS).read_text().splitlines()
        digests = {name: digest for digest, name in (x.split("  ", 1) for x in lines)}
        for name in names or digests:
            path = folder / name
            if not path.is_file() or digest_file(path) != digests.get(name):
                return name
    except ValueError:
        return CHECKSUMS
    return None if digests else CHECKSUMS


def _files(folder: epath.Path, before: str = "") -> Iterator[str]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from _files(path, f"{before}{path.name}/")
        else:
            yield f"{before}{path.name}"
