"""Checksums of the files of a folder, written last: what has them is complete.

No need of this package to check them: `b2sum --length=128 --check checksums.txt`.
"""

from collections.abc import Iterator, Sequence

from etils import epath

from dann_jax.utils.files import digest_file, write_whole

CHECKSUMS = "checksums.txt"


def write_checksums(folder: epath.Path, names: Sequence[str] = ()) -> None:
    """Write the checksums of these files of a folder, by default of all in it.

    Args:
      folder: whose files are written, and are on the disk.
      names: relative to it.
    """
    names = names or sorted(_files(folder))
    lines = [f"{digest_file(folder / name)}  {name}\n" for name in names]
    write_whole(folder / CHECKSUMS, "".join(lines))


def damaged_file(folder: epath.Path) -> str | None:
    """A file of the folder that is not as it was when it got its checksum, or None.

    Raises:
      OSError: a file is there and cannot be read: that says nothing of its bits.
    """
    # A flipped bit makes text that is none, half a line, or the name of no file.
    try:
        lines = (folder / CHECKSUMS).read_text().splitlines()
        pairs = [line.split("  ", 1) for line in lines]
        for digest, name in pairs:
            if not (folder / name).is_file() or digest_file(folder / name) != digest:
                return name
    except ValueError:
        return CHECKSUMS
    return None if pairs else CHECKSUMS


def _files(folder: epath.Path, before: str = "") -> Iterator[str]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from _files(path, f"{before}{path.name}/")
        else:
            yield f"{before}{path.name}"
