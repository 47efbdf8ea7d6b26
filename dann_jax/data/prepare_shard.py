"""Compute the features of a shard of a preparation, beside other shards of it."""

import contextlib
from collections.abc import Iterator

from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.features.extraction import compute
from dann_jax.data.features.items import items_of
from dann_jax.data.features.joining import unusable
from dann_jax.data.features.settings import claim
from dann_jax.data.features.shards import Shard, parse_shard
from dann_jax.data.renewal import Preparation, clear_work, is_outdated, keep_features
from dann_jax.data.store.folders import Claimed, claimed, is_remote
from dann_jax.utils.locks import Busy, locked


def requested_shard(text: str, data_dir: epath.PathLike, runner: str | None) -> Shard:
    """The shard of `I/N`.

    Raises:
      ValueError: it is not of this form, cannot be computed under `data_dir`, or is to
        be computed by a runner of Apache Beam.
    """
    shard = parse_shard(text)
    if is_remote(data_dir):
        raise ValueError(
            f"a shard needs a data_dir on a file system that all shards share, and not "
            f"{data_dir}"
        )
    if runner:
        raise ValueError("a shard is computed by this machine: leave the runner out")
    return shard


def prepare_shard(
    job: Preparation, shard: Shard, *, strict: bool = False, renew: bool = False
) -> str:
    """Compute the features of one shard; `prepare` makes the store of all of them.

    Args:
      job: the whole preparation.
      shard: which part of it.
      strict: raise an error where a file of it cannot be used, after all were tried.
      renew: as in `prepare`.

    Returns:
      A summary for the user.

    Raises:
      CorpusError: the store is being made, or shards of it with other settings are at
        work; another process computes this shard; or what `extract` raises.
    """
    with _beside_other_shards(job):
        if job.store.exists() and not is_outdated(job, renew=renew, retry=False):
            return f"{job.store} is there already, made in the same way"
    if renew:
        _begin_again(job)
    folder = shard.folder(job.work)
    with _beside_other_shards(job), _alone(shard, folder):
        with _one_after_the_other(job):
            claim(job.work, job.settings)
        items = items_of(job.columns, job.root, job.settings)
        rows = shard.rows(items)
        if renew:
            keep_features(job, folder, {items[row].key for row in rows})
        columns = {name: column[rows] for name, column in job.columns.items()}
        done = compute(*(columns, job.root, job.features, folder), workers=job.workers)
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


def _begin_again(job: Preparation) -> None:
    """Remove a working folder of other features, unless others are at work in it."""
    with (
        _one_after_the_other(job),
        contextlib.suppress(Claimed),
        claimed(job.name, job.data_dir),
    ):
        clear_work(job)


@contextlib.contextmanager
def _beside_other_shards(job: Preparation) -> Iterator[None]:
    """Keep off whoever makes the store, but no shard."""
    with contextlib.ExitStack() as held:
        with _one_after_the_other(job):
            held.enter_context(claimed(job.name, job.data_dir, shared=True))
        yield


def _one_after_the_other(job: Preparation) -> contextlib.AbstractContextManager:
    """For what takes a moment: shards that begin together wait for each other."""
    return locked(f"{job.work}.lock", wait=True)


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
