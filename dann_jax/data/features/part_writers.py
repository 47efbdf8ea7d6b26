"""The parts of a working folder: what they lack is computed, what is valid is kept."""

import logging
from collections.abc import Collection, Sequence

from etils import epath

from dann_jax.data.features.batched_extraction import (
    batched_extractors,
    write_batched_parts,
)
from dann_jax.data.features.beam_extraction import BeamRunner, write_beam_parts
from dann_jax.data.features.current import Kept, keep_current
from dann_jax.data.features.extraction_worker import ExtractionJob, Part, read_part
from dann_jax.data.features.items import Item, chunks_of
from dann_jax.data.features.pool import write_parts
from dann_jax.utils.progress import Progress
from dann_jax.utils.resources import usable_cores

_log = logging.getLogger(__name__)


def make_parts(
    job: ExtractionJob,
    items: Sequence[Item],
    workers: int,
    beam: BeamRunner | None = None,
) -> list[Kept]:
    """Write the missing parts; all parts together hold every row, or its error.

    Errors of an earlier call are tried again, and so is what has changed since.

    Args:
      job: what to compute; its folder exists.
      items: the utterances, row by row.
      workers: processes; 0 for one a core.
      beam: to compute by Apache Beam, in the place of processes of this machine.
    """
    workers = workers or usable_cores()
    old = _still_good(epath.Path(job.folder), items)
    done = {row for kept in old for row in kept.rows.tolist()}
    pending = [item for row, item in enumerate(items) if row not in done]
    if not pending:
        return old
    if done:
        _log.info("going on: %d of %d utterances are done", len(done), len(items))
    chunks = chunks_of(pending, workers)
    with Progress(
        "features", total=len(items), unit="utterance", done=len(done)
    ) as progress:
        if beam:
            write_beam_parts(job, chunks, beam)
        else:
            parts = write_batched_parts if batched_extractors(job) else write_parts
            for number in parts(job, chunks, min(workers, len(chunks))):
                progress.update(number)
    known = {kept.part.path.name for kept in old}
    new = _parts(epath.Path(job.folder), known)
    return old + keep_current(new, items, just_made=True)


def _still_good(folder: epath.Path, items: Sequence[Item]) -> list[Kept]:
    """Utterances of earlier parts that are still valid; other parts are deleted."""
    parts = []
    for kept in keep_current(_parts(folder), items):
        if len(kept.rows):
            warnings = [each for each in kept.problems if each[1] == "warning"]
            parts.append(kept._replace(problems=warnings))
        else:
            kept.part.path.unlink()
    return parts


def _parts(folder: epath.Path, known: Collection[str] = ()) -> list[Part]:
    """Every undamaged part that is not known yet, without its feature vectors."""
    parts = []
    for path in sorted(folder.glob("*.npz")):
        part = None if path.name in known else read_part(path)
        if part is not None:
            parts.append(part)
        elif path.name not in known:
            _log.warning("%s is damaged; its utterances are computed again", path)
            path.unlink()
    return parts
