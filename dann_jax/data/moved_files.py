"""Files of a table that lie elsewhere than it says, as on another machine."""

from collections import Counter
from collections.abc import Iterable, Sequence


def match_names(names: Iterable[str], files: Sequence[str]) -> dict[str, str]:
    r"""The one file that each name can mean, by as much of its end as is there.

    Args:
      names: with `/` or the backslashes of Windows, maybe below other folders, maybe
        without a suffix.
      files: paths that exist.

    Returns:
      Name -> file, without names that fit no file or several, or the file of another.

    Example:
      >>> files = ["ann/1.wav", "bob/1.wav", "bob/2.wav"]
      >>> match_names(["C:\\sound\\bob\\1.wav", "/old/2", "1.wav"], files)
      {'C:\\sound\\bob\\1.wav': 'bob/1.wav', '/old/2': 'bob/2.wav'}
    """
    by_end: dict[str, list[str]] = {}
    for file in files:
        for end in {*_ends(file), *_ends(file.rpartition(".")[0])}:
            by_end.setdefault(end, []).append(file)
    found = {}
    for name in dict.fromkeys(names):
        longest = next((end for end in _ends(name) if end in by_end), "")
        if longest and len(by_end[longest]) == 1:
            found[name] = by_end[longest][0]
    times = Counter(found.values())
    return {name: file for name, file in found.items() if times[file] == 1}


def _ends(name: str) -> list[str]:
    """The name, and what is left of it without its first folder, two, ..."""
    parts = [part for part in name.replace("\\", "/").split("/") if part]
    return ["/".join(parts[first:]) for first in range(len(parts))]
