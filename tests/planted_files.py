"""Empty files in folders, for what reads names alone."""

import pathlib


def plant(root: pathlib.Path, *files: str) -> pathlib.Path:
    """Make empty files below a folder, and return it."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root
