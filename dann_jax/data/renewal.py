"""Compare a store with the requested preparation, and reuse its features."""

import logging
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.extraction import compute
from dann_jax.data.features.extraction_worker import FeatureSpecs
from dann_jax.data.features.items import Columns, Root, items_of
from dann_jax.data.features.joining import read_problems, unusable
from dann_jax.data.features.origin import (
    ORIGIN,
    read_origin,
    recording_differences,
    table_differences,
)
from dann_jax.data.features.reuse import write_parts_of
from dann_jax.data.features.settings import claim, differences, package_changes
from dann_jax.data.store import read_metadata, read_store, store_folder
from dann_jax.data.store.damage import DamageError
from dann_jax.data.store.folders import retry_folder, work_folder
from dann_jax.data.store.layout import verify_store

_log = logging.getLogger(__name__)


class Preparation(NamedTuple):
    """A requested preparation: recordings, settings and store.

    Attributes:
      name: of the store.
      data_dir: where stores are kept.
      columns: column -> string array `[N]`.
      root: what the column `file` is relative to.
      features: word of an extractor -> its parameters.
      settings: of the features, as `settings_of` returns them.
      workers: processes; 0 for one a core.
    """

    name: str
    data_dir: epath.PathLike
    columns: Columns
    root: Root
    features: FeatureSpecs
    settings: dict[str, Any]
    workers: int

    @property
    def store(self) -> epath.Path:
        """The folder of the store."""
        return store_folder(self.name, self.data_dir)

    @property
    def work(self) -> epath.Path:
        """Where parts are kept until the store is there."""
        return work_folder(self.name, self.data_dir)


def is_outdated(job: Preparation, *, renew: bool, retry: bool) -> bool:
    """Whether the store must be made again.

    Args:
      job: what is to be made.
      renew: whether it may be made again.
      retry: whether to try what could not be used.

    Raises:
      CorpusError: it must, and may not be; the message says why.
    """
    try:
        reasons = _changes_since(job)
        mended = _usable_now(job) if retry and not reasons else []
    except DamageError as error:
        if not renew:
            raise
        _log.warning("%s; it is made again", error)
        return True
    if mended:
        reasons = [f"utterances that can be used by now ({len(mended)}): {mended[0]}"]
    if not reasons and not (job.store / ORIGIN).exists():
        # An earlier version made it, which kept no list.
        unknown = "it does not record which recordings it was made from"
        reasons = [unknown] if renew else []
        _log.warning("%s: %s; --renew makes it again", job.store, unknown)
    if reasons and not renew:
        raise CorpusError(
            f"{job.store} was made from other recordings or with other settings: "
            f"{'; '.join(reasons)}. --renew makes it again and computes only what has "
            f"changed; or choose another --name or --data_dir"
        )
    if reasons:
        _log.info("%s is made again: %s", job.store, "; ".join(reasons))
    return bool(reasons)


def require_whole(job: Preparation) -> None:
    """Raise `CorpusError` where utterances were left out of the store."""
    path = job.store / "problems.csv"
    problem = unusable(read_problems(path), len(job.columns["utt_id"]))
    if problem:
        raise CorpusError(f"{problem}; all of them are in {path}")


def _changes_since(job: Preparation) -> list[str]:
    """Differences between the store and the requested preparation, in words.

    Raises:
      DamageError: files of the store are not what was written.
      CorpusError: the folder holds something else.
    """
    metadata = read_metadata(job.store)
    verify_store(job.store, metadata)
    provenance = metadata["provenance"]
    changes = differences(provenance, job.settings)
    origin = read_origin(job.store)
    if origin is None:
        if provenance.get("columns") != job.settings["columns"]:
            changes.append("the manifest is another one")
        return changes
    table = table_differences(origin.columns, job.columns)
    if table:
        changes.append(f"the manifest is another one: {'; '.join(table)}")
    items = items_of(job.columns, job.root, job.settings)
    now = dict(zip(job.columns["utt_id"].tolist(), items, strict=True))
    return changes + recording_differences(origin, now)


def _usable_now(job: Preparation) -> list[str]:
    """Utterances that were left out of the store and can be used by now."""
    origin = read_origin(job.store)
    if origin is None or not len(rows := origin.rows(used=False)):
        return []
    left_out = np.isin(job.columns["utt_id"], origin.columns["utt_id"][rows])
    columns = {name: column[left_out] for name, column in job.columns.items()}
    folder = retry_folder(job.name, job.data_dir)
    try:
        is_usable = compute(
            *(columns, job.root, job.features, folder), workers=job.workers
        ).is_usable
    finally:
        if folder.exists():
            folder.rmtree()
    return columns["utt_id"][is_usable].tolist()


def keep_features(
    job: Preparation, work: epath.Path, keys: Collection[str] | None = None
) -> None:
    """Put the features of the store into a working folder, to make it from there.

    Those of recordings that have changed are left there unused. Nothing is kept of a
    damaged store, nor of features that were made otherwise or by other versions of
    packages.

    Args:
      job: what is to be made.
      work: the folder, that of the preparation or of a shard.
      keys: of the utterances that belong there; None for all.
    """
    if not job.store.exists():
        return
    try:
        metadata = read_metadata(job.store)
        verify_store(job.store, metadata)
        provenance, origin = metadata["provenance"], read_origin(job.store)
        otherwise = differences(provenance, job.settings)
        if otherwise or package_changes(provenance, job.settings) or origin is None:
            return
        corpus = read_store(job.store)
    except DamageError as error:
        _log.warning("no feature is kept: %s", error)
        return
    items = items_of(origin.columns, job.root, job.settings)
    parts = work / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    write_parts_of(corpus, origin, items, job.store / "problems.csv", parts, keys)


def clear_work(job: Preparation) -> None:
    """Remove a working folder of other features; make one for these."""
    try:
        claim(job.work, job.settings)
    except CorpusError:
        job.work.rmtree()
        claim(job.work, job.settings)
