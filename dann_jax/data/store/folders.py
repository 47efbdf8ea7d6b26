"""The folders of a store, made by one process at a time and renamed when complete."""

import contextlib
import os
from collections.abc import Iterator

from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.store.layout import dataset_name, store_folder
from dann_jax.utils.files import replace_folder
from dann_jax.utils.locks import Busy, locked

_OLD = "old"


class Claimed(CorpusError):
    """Another process makes a store of this name."""


def cache_folder() -> epath.Path:
    """The cache folder of this package, `$XDG_CACHE_HOME/dann_jax`."""
    home = os.environ.get("XDG_CACHE_HOME") or epath.Path("~/.cache").expanduser()
    return epath.Path(home) / "dann_jax"


def work_folder(name: str, data_dir: epath.PathLike) -> epath.Path:
    """Local folder of the parts until the store is complete."""
    return _local(data_dir) / f".{dataset_name(name)}.prepare"


def retry_folder(name: str, data_dir: epath.PathLike) -> epath.Path:
    """Folder in which unusable recordings are tried again."""
    return _local(data_dir) / f".{dataset_name(name)}.retry"


def staging_folder(name: str, data_dir: epath.PathLike) -> epath.Path:
    """Folder in which a store is written, on the same disk."""
    return epath.Path(data_dir) / f".{dataset_name(name)}.writing"


@contextlib.contextmanager
def claimed(
    name: str, data_dir: epath.PathLike, *, wait: bool = False, shared: bool = False
) -> Iterator[bool]:
    """Hold the lock for making the store of this name.

    What an earlier one left, when it was killed while it wrote, is removed, unless the
    lock is shared. Yields whether anything can be written there.

    Args:
      name: of the corpus.
      data_dir: where stores are kept.
      wait: for another process, instead of raising an error.
      shared: with others that compute features of it and do not make it.

    Raises:
      Claimed: another process is making it.
    """
    folder = _local(data_dir)
    if folder.exists() and not os.access(folder, os.W_OK):
        # What is there may still be looked at.
        yield False
        return
    with contextlib.ExitStack() as held:
        try:
            lock = folder / f".{dataset_name(name)}.lock"
            held.enter_context(locked(lock, wait=wait, shared=shared))
        except Busy:
            raise Claimed(
                f"another process is preparing {store_folder(name, data_dir)}, or a "
                f"shard of it; wait until it has ended, or choose another --name"
            ) from None
        if not shared:
            _remove_leftovers(name, data_dir)
        yield True


def take_place(new: epath.Path, store: epath.Path, beside: epath.Path) -> None:
    """Rename a store that is complete; the one in its place stays until then."""
    store.parent.mkdir(parents=True, exist_ok=True)
    old = beside / _OLD
    if store.exists():
        store.rename(old)
    try:
        if is_remote(store):
            new.rename(store)
        else:
            replace_folder(new, store)
    except BaseException:
        _put_back(old, store)
        raise


def _put_back(old: epath.Path, store: epath.Path) -> None:
    if old.exists() and not store.exists():
        old.rename(store)


def _remove_leftovers(name: str, data_dir: epath.PathLike) -> None:
    store, beside = store_folder(name, data_dir), staging_folder(name, data_dir)
    # If it was killed between the two renames of `take_place`.
    _put_back(beside / _OLD, store)
    retry = retry_folder(name, data_dir)
    for left in [beside, retry, *store.parent.glob("incomplete.*")]:
        if left.exists():
            left.rmtree()


def _local(data_dir: epath.PathLike) -> epath.Path:
    path = epath.Path(data_dir)
    return cache_folder() if is_remote(path) else path


def is_remote(path: epath.PathLike) -> bool:
    """Whether it is in a bucket, such as `gs://`."""
    return "://" in os.fspath(path)
