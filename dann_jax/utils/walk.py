"""The files below a folder: links are followed, and nothing is met twice."""

import fnmatch
import glob
import itertools
import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from etils import epath

from dann_jax.utils.text import one_line


class Walked(NamedTuple):
    """What lies below a folder.

    Attributes:
      files: with one of the suffixes, sorted by their path.
      notes: what was passed over and why, for people.
    """

    files: Sequence[epath.Path]
    notes: Sequence[str]


def walk(folder: epath.Path, suffixes: Sequence[str]) -> Walked:
    """Find the files below a folder whose names end in certain ways.

    Links to folders are followed after all else, each folder is entered once, and a
    file that has several names is listed by the first. Names that begin with a dot are
    passed over, as macOS leaves a `._NAME` beside many a file.

    Args:
      folder: local or in a bucket.
      suffixes: in lower case, with their dots; an empty one for files of any name.

    Example:
      >>> from etils import epath
      >>> walk(epath.Path("/nowhere"), (".wav",))
      Walked(files=[], notes=['/nowhere: cannot be listed: No such file or directory'])
    """
    search = _Search(tuple(suffixes))
    pending, links = [folder], []
    while pending or links:
        # What is reached by its own name is listed by it.
        folder, is_link = (pending.pop(), False) if pending else (links.pop(0), True)
        for inside in search.enter(folder, is_link):
            (links if _is_link(inside) else pending).append(inside)
    return Walked(*search.found())


def matching(pattern: str) -> list[epath.Path]:
    """What a pattern names, sorted; `**` stands for folders at any depth.

    Example:
      >>> matching("/nowhere/**/*.wav")
      []
    """
    parts = pattern.split("/")
    if "**" not in parts:
        return [epath.Path(name) for name in sorted(glob.glob(pattern))]
    # Python's own goes round in a circle of links until the system stops it.
    fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), parts))
    top = "/".join(fixed) or ("/" if fixed else ".")
    rest = [
        "(?:[^/]+/)*" if part == "**" else fnmatch.translate(part)[4:-3] + "/"
        for part in parts[len(fixed) :]
    ]
    names = re.compile("".join(rest))
    files = walk(epath.Path(top), ("",)).files
    return [
        path
        for path in files
        if names.fullmatch(f"{path.relative_to(top).as_posix()}/")
    ]


class _Search:
    """What was met so far."""

    def __init__(self, suffixes: tuple[str, ...]) -> None:
        self._suffixes = suffixes
        self._folders: dict[str, epath.Path] = {}
        self._files: list[epath.Path] = []
        self._others: Counter[str] = Counter()
        self._notes: list[str] = []

    def enter(self, folder: epath.Path, is_link: bool) -> list[epath.Path]:
        """Look at the names in a folder; the folders among them."""
        real = _real(folder)
        if real in self._folders or (is_link and _leads_back(folder, real)):
            other = self._folders.get(real, real)
            self._notes.append(f"{folder}: is {other} again; it was not entered twice")
            return []
        self._folders[real] = folder
        try:
            inside = sorted(folder.iterdir())
        except OSError as error:
            self._notes.append(f"{folder}: cannot be listed: {error.strerror}")
            return []
        folders = []
        for path in inside:
            if path.name.startswith("."):
                self._others["hidden"] += 1
            elif path.is_dir():
                folders.append(path)
            elif path.name.lower().endswith(self._suffixes):
                self._files.append(path)
            else:
                self._others[path.suffix.lower() or "no suffix"] += 1
        return folders

    def found(self) -> tuple[list[epath.Path], list[str]]:
        """The files, each once, and the notes."""
        first: dict[str, epath.Path] = {}
        for path in sorted(self._files, key=lambda path: (_is_link(path), path)):
            if first.setdefault(_real(path), path) != path:
                self._notes.append(
                    f"{path}: is {first[_real(path)]} again; it was left out"
                )
        if self._others:
            kinds = ", ".join(f"{kind} {n}" for kind, n in self._others.most_common(9))
            self._notes.append(
                f"{self._others.total()} files were passed over, by their names no "
                f"audio ({kinds})"
            )
        return sorted(first.values()), [one_line(note) for note in self._notes]


def _is_link(path: epath.Path) -> bool:
    return os.path.islink(path)


def _real(path: epath.Path) -> str:
    """What the path leads to; a bucket has no links."""
    return str(path) if "://" in str(path) else os.path.realpath(path)


def _leads_back(link: epath.Path, real: str) -> bool:
    """Whether a link leads to a folder that it is in itself."""
    here = os.path.realpath(link.parent)
    return os.path.commonpath([here, real]) == real
