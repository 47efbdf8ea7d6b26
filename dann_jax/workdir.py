"""A work directory: it belongs to one config, and files in it are whole or absent."""

import contextlib
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import IO, Any

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils

_PACKAGES = (
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "scikit-learn",
)


class WorkdirError(ValueError):
    """The work directory cannot be used for this run."""


def claim(workdir: epath.PathLike, config: Mapping[str, Any]) -> epath.Path:
    """Make the directory, or take up the run that is in it.

    Args:
      workdir: a new or empty directory, or that of an earlier run.
      config: plain nested dict; the earlier run must have had the same.

    Raises:
      WorkdirError: the directory belongs to another config (the message lists the
        keys that differ), or holds something else. Nothing is overwritten. Of several
        processes the first alone looks and writes, and all of them raise.
    """
    path, refused = epath.Path(workdir), None
    if jax.process_index() == 0:
        try:
            _claim(path, config)
        except (WorkdirError, OSError) as error:
            refused = error
    if jax.process_count() > 1:
        usable = multihost_utils.broadcast_one_to_all(np.bool_(refused is None))
        if not usable and refused is None:
            refused = WorkdirError(f"the first process cannot use {path}")
    if refused is not None:
        raise refused
    return path


def _claim(path: epath.Path, config: Mapping[str, Any]) -> None:
    config = strict(config)
    if path.exists() and not path.is_dir():
        raise WorkdirError(f"{path} is a file; a work directory is needed")
    if (path / "config.json").exists():
        differences = list(_differences(config, read_json(path / "config.json")))
        if differences:
            raise WorkdirError(
                f"{path} belongs to a run with another config: "
                f"{'; '.join(differences)}. Choose another --workdir, or the old values"
            )
    # A process killed in the middle of its first write leaves a partial file.
    elif path.exists() and any(p.suffix != ".partial" for p in path.iterdir()):
        raise WorkdirError(
            f"{path} is not empty and has no config.json; choose another --workdir"
        )
    else:
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "config.json", config)
    write_json(path / "environment.json", _environment())


def read_json(path: epath.Path) -> Any:
    """Read JSON; a `WorkdirError` names the file where it is not."""
    try:
        return json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise WorkdirError(f"{path} is not JSON: {error}") from None


def strict(value: Any) -> Any:
    """The same nested value as JSON has it: arrays as lists, None for NaN.

    Example:
      >>> strict({"ends": (np.float32(0.5), float("nan"))})
      {'ends': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): strict(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [strict(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_json(path: epath.Path, value: Any) -> None:
    """Write strict JSON (see `strict`) so that `path` is never half a file."""
    text = json.dumps(strict(value), indent=1, allow_nan=False)
    write_whole(path, f"{text}\n")


def write_whole(path: epath.Path, content: str | bytes) -> None:
    """Write beside `path` and rename, so that `path` is never half a file."""
    with open_whole(path, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)


@contextlib.contextmanager
def open_whole(path: epath.Path, mode: str = "w") -> Iterator[IO]:
    """A file that is at `path` once the block has ended well, and not before."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; a file is needed")
    if os.path.exists(path) and not os.path.isfile(path):
        # A device or a pipe, such as /dev/stdout, is written to and never replaced.
        with path.open(mode) as file:
            yield file
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with _opened(partial, mode) as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _opened(path: epath.Path, mode: str) -> IO:
    try:
        return path.open(mode)
    except FileNotFoundError:
        raise FileNotFoundError(f"no such folder: {path.parent}") from None


def _differences(new: Any, old: Any, key: str = "config") -> Iterator[str]:
    if isinstance(new, dict) and isinstance(old, dict):
        for name in sorted({*new, *old}):
            yield from _differences(new.get(name), old.get(name), f"{key}.{name}")
    elif new != old:
        yield f"{key} is {new!r}, was {old!r}"


def _environment() -> dict[str, Any]:
    return {
        "python": sys.version.split()[0],
        "packages": package_versions(),
        "devices": [str(device.device_kind) for device in jax.devices()],
        "command": sys.argv,
        "git_commit": _git_commit(),
    }


def package_versions() -> dict[str, str]:
    """Name -> version of the packages that a result may depend on."""
    # Here, because the package imports this module while it is itself imported.
    from dann_jax import __version__

    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"dann_jax": __version__, **found}


def _git_commit() -> str | None:
    """The commit of the code that runs, None where it is not in a repository."""
    here = epath.Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
