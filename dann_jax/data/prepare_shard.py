"""Compute the features of a shard of a preparation, beside other shards of it."""

import contextlib
from collections.abc import Iterator

from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.extraction import compute
from dann_jax.data.features.items import items_of
from dann_jax.data.features.joining import unusable
from dann_jax.data.features.settings import claim
from dann_jax.data.features.shards import Shard
from dann_jax.data.renewal import Preparation, clear_work, is_outdated, keep_features
from dann_jax.data.store.folders import Claimed, claimed, is_remote
from dann_jax.utils.locks import Busy, locked


def prepare_shard(
    asked: Preparation, shard: Shard, *, strict: bool = False, renew: bool = False
) -> str:
    """Compute the features of one shard; `prepare` makes the store of all of them.

    Args:
      asked: the whole preparation.
      shard: which part of it.
      strict: raise an error where a file of it cannot be used, after all were tried.
      renew: as in `prepare`.

    Returns:
      A summary for the user.

    Raises:
      CorpusError: the store is being made, or shards of it with other settings are at
        work; another process computes this shard; `data_dir` is remote; or what
        `extract` raises.
    """
    if is_remote(asked.data_dir):
        raise CorpusError(
            f"a shard needs a data_dir on a file system that all shards share, and not "
            f"{asked.data_dir}"
        )
    folder = shard.folder(asked.work)
    with _beside_other_shards(asked, renew), _alone(shard, folder):
        if asked.store.exists() and not is_outdated(asked, renew=renew, retry=False):
            return f"{asked.store} is there already, made in the same way"
        items = items_of(asked.columns, asked.root, asked.settings)
        rows = shard.rows(items)
        if renew:
            keep_features(asked, folder, {items[row].key for row in rows})
        columns = {name: column[rows] for name, column in asked.columns.items()}
        done = compute(
            *(columns, asked.root, asked.features, folder), workers=asked.workers
        )
    problem = unusable(done.problems, len(rows))
    if problem and strict:
        raise CorpusError(problem)
    lines = [
        f"shard {shard}: the features of {done.is_usable.sum()} of {len(rows)} "
        f"utterances are computed",
        *([f"{problem}; tried again when the store is made"] if problem else []),
        "when all shards are through, the same command without --shard makes the store",
    ]
    return "\n".join(lines)


@contextlib.contextmanager
def _beside_other_shards(asked: Preparation, renew: bool) -> Iterator[None]:
    """Hold the working folder together with other shards of the same preparation."""
    with contextlib.ExitStack() as held:
        # They begin one after the other.
        with locked(f"{asked.work}.lock", wait=True):
            if renew:
                # With others at work nothing is removed.
                with contextlib.suppress(Claimed), claimed(asked.name, asked.data_dir):
                    clear_work(asked)
            held.enter_context(claimed(asked.name, asked.data_dir, shared=True))
            claim(asked.work, asked.settings)
        yield


@contextlib.contextmanager
def _alone(shard: Shard, folder: epath.Path) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(f"{folder}.lock"))
        except Busy:
            raise CorpusError(
                f"another process computes shard {shard}; give each a number of its own"
            ) from None
        yield
