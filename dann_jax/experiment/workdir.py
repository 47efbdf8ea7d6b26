"""A work directory: it belongs to one config and to one set of data."""

import contextlib
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from etils import epath

from dann_jax.data.corpus import Corpus
from dann_jax.experiment.config import base_config
from dann_jax.tasks.fingerprint import is_whole
from dann_jax.tasks.fingerprint_differences import corpus_differences, differences
from dann_jax.training.checkpoint_folders import complete_steps
from dann_jax.utils.files import WorkdirError, read_json, strict, write_json
from dann_jax.utils.leftovers import remove_leftovers
from dann_jax.utils.locks import Busy, locked
from dann_jax.utils.processes import by_first, is_same_everywhere
from dann_jax.utils.versions import package_versions

TARGET_FOLDER = "target"
"""Where a run keeps features that were made of recordings it adapts to."""

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def used_alone(workdir: epath.PathLike) -> Iterator[None]:
    """Let no other command of this machine run in the directory meanwhile.

    The lock lies beside it, as long as the block runs: a directory that cannot be used
    is not even made. On a remote store there are no locks.

    Raises:
      WorkdirError: another command runs there.
    """
    path = epath.Path(workdir)
    lock = path.parent / f".{path.name}.lock"
    with contextlib.ExitStack() as held:
        if "://" not in str(workdir) and not jax.process_index():
            try:
                held.enter_context(locked(lock))
            except Busy:
                raise WorkdirError(
                    f"another command runs in {path}: wait for it, or give this one "
                    f"another --workdir"
                ) from None
            except OSError as error:
                # Only the directory itself may be ours to write in.
                _log.debug("no lock %s: %s", lock, error)
        yield


def claim(
    workdir: epath.PathLike,
    config: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
) -> epath.Path:
    """Make the directory, or take up the run that is in it.

    What a killed process left half written is removed.

    Args:
      workdir: a new or empty directory, or that of an earlier run.
      config: plain nested dict; the earlier run must have had the same.
      data: what is learned from, as from `fingerprint`; likewise. None for no matter.

    Raises:
      WorkdirError: the directory belongs to another config or to other data (the
        message lists what differs), or holds something else. Nothing is overwritten. Of
        several processes the first alone looks and writes, and all of them raise.
    """
    path = epath.Path(workdir)
    if data and not is_same_everywhere(data["digest"]):
        raise WorkdirError("the processes do not read the same data: see data.source")

    def look_and_write() -> int:
        _claim(path, config)
        if data:
            claim_data(path, data)
        write_json(path / "environment.json", _environment())
        remove_leftovers(path)
        return 0

    by_first(look_and_write, WorkdirError, f"the first process cannot use {path}")
    return path


def _claim(path: epath.Path, config: Mapping[str, Any]) -> None:
    config = strict(config)
    if (path / "config.json").exists():
        usual = strict(base_config().to_dict())
        differences = list(_differences(config, read_json(path / "config.json"), usual))
        if differences:
            raise WorkdirError(
                f"{path} belongs to a run with another config: "
                f"{'; '.join(differences)}. Choose another --workdir, or the old values"
            )
    else:
        require_ours(path)
        path.mkdir(parents=True, exist_ok=True)
        write_json(path / "config.json", config)


def require_ours(path: epath.Path) -> None:
    """Raise `WorkdirError` if a folder holds something else than a run.

    Before its config a run may leave a folder of target recordings, and, killed in the
    middle of its first write, a partial file.
    """
    if path.exists() and not path.is_dir():
        raise WorkdirError(f"{path} is a file; a work directory is needed")
    if not path.exists() or (path / "config.json").exists():
        return
    if any(p.suffix != ".partial" and p.name != TARGET_FOLDER for p in path.iterdir()):
        raise WorkdirError(
            f"{path} is not empty and has no config.json; choose another --workdir"
        )


def claim_data(path: epath.Path, data: Mapping[str, Any]) -> None:
    """Require that a run goes on with its data; note them where nobody did so far.

    Args:
      path: of the work directory.
      data: as from `fingerprint`.

    Raises:
      WorkdirError: the run learned from other data; the message lists what differs.
    """
    if (path / "data.json").exists():
        _refuse(path, differences(data, _read_data(path)))
        return
    step = max(complete_steps(path / "checkpoints"), default=0)
    if step:
        _log.warning(
            "the run in %s is from before work directories kept what identifies their "
            "data: whether its %d steps learned from the data of now cannot be told",
            path,
            step,
        )
    write_json(path / "data.json", {**data, "unknown_until_step": step})


def require_corpus(path: epath.Path, corpus: Corpus) -> None:
    """Raise `WorkdirError` if a run is known to have learned from another corpus."""
    if (path / "data.json").exists():
        _refuse(path, corpus_differences(corpus, _read_data(path)))


def _refuse(path: epath.Path, differences: list[str]) -> None:
    if differences:
        raise WorkdirError(
            f"{path} belongs to a run on other data: {'; '.join(differences)}. "
            f"Choose another --workdir, or put back the old data"
        )


def data_of(path: epath.Path) -> dict[str, Any]:
    """Which data a result is of: the head of `data.json`, short enough to repeat."""
    if not (path / "data.json").exists():
        return {}
    record = _read_data(path)
    return {name: record[name] for name in ("digest", "rows", "unknown_until_step")}


def _read_data(path: epath.Path) -> dict[str, Any]:
    record = read_json(path / "data.json")
    if not is_whole(record):
        raise WorkdirError(
            f"{path}/data.json is damaged, or of another version of this package: put "
            f"back a copy of it, or choose another --workdir"
        )
    return record


def _differences(
    new: Any, old: Any, usual: Mapping[str, Any], key: str = "config"
) -> Iterator[str]:
    if isinstance(new, dict) and isinstance(old, dict):
        for name in sorted({*new, *old}):
            value, default = new.get(name), usual.get(name)
            # A key that is newer than one of them, and empty or what it is by default,
            # leaves all as it was.
            known = value if name in new else old[name]
            in_both = name in new and name in old
            if not in_both and (_is_empty(known) or known == default):
                continue
            # So does a name that is left to the split, which is compared itself.
            if f"{key}.{name}" == "config.protocol.name" and not value:
                continue
            default = default if isinstance(default, dict) else {}
            yield from _differences(value, old.get(name), default, f"{key}.{name}")
    elif new != old:
        yield f"{key} is {new!r}, was {old!r}"


def _is_empty(value: Any) -> bool:
    """Whether a value, or all that a section holds, is empty, 0 or False."""
    parts = value.values() if isinstance(value, dict) else ()
    return all(map(_is_empty, parts)) if parts else not value


def _environment() -> dict[str, Any]:
    return {
        "python": sys.version.split()[0],
        "packages": package_versions(),
        "devices": [str(device.device_kind) for device in jax.devices()],
        "command": sys.argv,
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of the code that runs, None where it is not in a repository."""
    here = epath.Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None
