"""A work directory: it belongs to one config."""

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from etils import epath
from jax.experimental import multihost_utils

from dann_jax.utils.files import strict, write_json

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
