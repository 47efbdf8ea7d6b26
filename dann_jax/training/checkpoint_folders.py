"""Folders of checkpoints: which are complete, whether their bits are as written."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from etils import epath

from dann_jax.utils.checksums import CHECKSUMS, damaged_file

_log = logging.getLogger(__name__)

_METADATA = "_CHECKPOINT_METADATA"
_UNFINISHED = ".orbax-checkpoint-tmp"
"""How orbax calls what it is about to write."""


class CheckpointError(ValueError):
    """A checkpoint is damaged, or of another run than this one."""


def complete_steps(directory: epath.Path) -> list[int]:
    """Steps of the checkpoints that were written to the end, in order."""
    return [step for step in _steps(directory) if _complete(directory / str(step))]


def recorded(folder: epath.Path) -> Mapping[str, Any]:
    """What a checkpoint says of itself; nothing, if it is from before any did."""
    try:
        metadata = json.loads((folder / _METADATA).read_text())["custom_metadata"]
    except (ValueError, KeyError, TypeError, FileNotFoundError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def newest_sound_step(directory: epath.Path) -> int:
    """The newest step whose files are as they were written; 0 if there is none at all.

    What is damaged or not complete is removed, if there is something to go on from: the
    same steps will be taken again and saved again.

    Raises:
      CheckpointError: all of them are damaged; nothing is removed.
    """
    steps, damaged = complete_steps(directory), {}
    while steps and (file := damage(directory / str(steps[-1]))):
        damaged[steps.pop()] = file
    if damaged and not steps:
        raise CheckpointError(
            f"{directory}: every checkpoint is damaged ({_listed(damaged)}). Put back "
            f"a copy of one; or remove the folder, and the same command trains from "
            f"the start"
        )
    newest = steps[-1] if steps else 0
    if damaged:
        _log.warning(
            "damaged, and removed: %s; the one of step %d is whole",
            _listed(damaged),
            newest,
        )
    if newest and not (directory / str(newest) / CHECKSUMS).exists():
        _log.warning(
            "the checkpoint of step %d is from before there were checksums: whether "
            "its bits are as they were written cannot be told",
            newest,
        )
    for path in list(directory.iterdir()) if directory.exists() else ():
        stale = path.name.isdigit() and int(path.name) not in steps
        if stale or _UNFINISHED in path.name:
            path.rmtree()
    return newest


def require_usable(
    folder: epath.Path, data: str = "", *, checked: bool = False
) -> None:
    """Raise `CheckpointError` if it is damaged or known to be of other data.

    Args:
      folder: of the checkpoint.
      data: digest of what the run learns from; empty where nobody asks.
      checked: its files have just been looked at.
    """
    if not checked and (file := damage(folder)):
        raise CheckpointError(
            f"{folder} is damaged: {file} is not as it was written. dann-train goes on "
            f"from the checkpoint before it, where there is one"
        )
    digest = recorded(folder).get("data")
    if data and digest and digest != data:
        raise CheckpointError(
            f"{folder} is of other data than this run learns from ({digest[:8]}, not "
            f"{data[:8]}). Choose another --workdir, or put back the old data"
        )


def damage(folder: epath.Path) -> str | None:
    """The name of a file of a checkpoint that is not as it was written, or None."""
    # Without checksums it is from before there were any: see `_complete`.
    return damaged_file(folder) if (folder / CHECKSUMS).exists() else None


def _steps(directory: epath.Path) -> list[int]:
    paths = list(directory.iterdir()) if directory.exists() else ()
    return sorted(int(path.name) for path in paths if path.name.isdigit())


def _complete(folder: epath.Path) -> bool:
    """Whether it has its checksums, or is from before there were any."""
    if (folder / CHECKSUMS).exists():
        return True
    return (folder / _METADATA).exists() and not recorded(folder).get("checksums")


def _listed(damaged: Mapping[int, str]) -> str:
    return ", ".join(f"step {step}, file {file}" for step, file in damaged.items())
