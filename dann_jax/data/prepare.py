"""Prepare a corpus: read it, compute its features, write its store."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from etils import epath

from dann_jax.data.beam import BeamRunner, require_beam
from dann_jax.data.corpus import Corpus, check
from dann_jax.data.features.extraction import extract
from dann_jax.data.features.extraction_worker import FeatureSpecs
from dann_jax.data.features.joining import (
    Problem,
    count_reasons,
    many_lost,
    problems_csv,
    table_problems,
)
from dann_jax.data.features.origin import ORIGIN
from dann_jax.data.features.settings import settings_of
from dann_jax.data.few import some_of_each
from dann_jax.data.prepare_shard import prepare_shard, requested_shard
from dann_jax.data.prepare_table import Given, read_table
from dann_jax.data.readers.catalogue import AS_IT_COMES, Reading
from dann_jax.data.renewal import (
    Preparation,
    clear_work,
    is_outdated,
    keep_features,
    require_whole,
)
from dann_jax.data.store.folders import claimed
from dann_jax.data.store.reading import cached_arrays
from dann_jax.data.store.writing import write_claimed
from dann_jax.data.store_source import SOURCE, source_json


def prepare(
    sources: Mapping[str, epath.PathLike],
    *,
    features: FeatureSpecs,
    data_dir: epath.PathLike,
    name: str,
    layouts: Mapping[str, str] = {},
    emotions: epath.PathLike | None = None,
    reading: Reading = AS_IT_COMES,
    strict: bool = False,
    workers: int = 0,
    runner: str | None = None,
    beam_options: Sequence[str] = (),
    shard: str | None = None,
    per_speaker: int = 0,
    renew: bool = False,
    wait: bool = False,
) -> str:
    """Make the store of a corpus, unless it is there and current.

    A store knows its recordings: it is found made only while they, the table of
    utterances and the features are the same. What could not be used is tried again.

    Args:
      sources: name of a corpus -> folder. Of several, one store is made, with the
        name before every id and speaker.
      features: word of an extractor -> its parameters.
      data_dir: where stores are kept.
      name: of the store.
      layouts: name of a corpus -> its layout in `LAYOUTS`, where the name is another
        one: `{"home": "manifest", "work": "manifest"}`.
      emotions: a map of one's own from words to emotions.
      reading: of the layouts `manifest` and `folders`; of the latter a manifest is
        written beside the store, `NAME.manifest.csv`.
      strict: refuse to leave out files that cannot be used.
      workers: processes; 0 for one a core.
      runner: of Apache Beam, such as `DirectRunner`, to compute the features and to
        write the store; its workers must see `data_dir` and the sources. With
        `DirectRunner` there are so many `workers`.
      beam_options: of its pipelines, `name=value`.
      shard: `I/N` computes the features of this part of the utterances alone, beside
        the other parts, on any machine that sees `data_dir` and the sources. The same
        call without it computes what is missing and makes the store.
      per_speaker: at most so many recordings of each speaker, shared out evenly
        among the emotions, to try things out; 0 for all.
      renew: replace a store that is out of date, of other features or damaged. What
        has not changed is not computed again; the old store stays until the new one is
        complete.
      wait: for another process that makes the same store, instead of raising an error.

    Returns:
      A summary for the user.

    Raises:
      ValueError: `shard` is not of this form, `data_dir` is remote or there is a
        `runner` too.
      CorpusError: a corpus cannot be read, there is a store of that name that differs
        from what would be made (and `renew` is not set), another process is making it,
        or what `extract` and `write_store` raise.
    """
    part = requested_shard(shard, data_dir, runner) if shard else None
    if runner:
        # Not after all recordings have been gone through.
        require_beam()
    given = Given(sources, layouts, emotions, reading)
    table = read_table(given, name, data_dir)
    columns, roots = table.columns, table.roots()
    if per_speaker:
        columns = some_of_each(columns, per_speaker)
    check(Corpus(name, columns, {}, {}))
    job = Preparation(
        name=name,
        data_dir=data_dir,
        columns=columns,
        root=roots if len(roots) > 1 else next(iter(roots.values())),
        features=features,
        settings=settings_of(columns, features),
        workers=workers,
    )
    if part:
        return prepare_shard(job, part, strict=strict, renew=renew)
    beam = BeamRunner(runner, tuple(beam_options), workers) if runner else None
    with claimed(name, data_dir, wait=wait) as writable:
        if job.store.exists() and not is_outdated(job, renew=renew, retry=writable):
            if strict:
                require_whole(job)
            if writable and job.work.exists():
                # Killed after the store was there.
                job.work.rmtree()
            return (
                f"{job.store} is there already, made in the same way\n"
                f"{_next_step(job.store)}"
            )
        if renew:
            clear_work(job)
            keep_features(job, job.work)
        own = [path for path in (emotions, reading.table) if path]
        return _make(job, strict, beam, source_json(table.sources, own))


def _make(job: Preparation, strict: bool, beam: BeamRunner | None, source: str) -> str:
    outdated = [job.work, *_cache_of(job.store)]
    corpus, problems = extract(
        job.columns,
        job.root,
        job.features,
        job.work,
        name=job.name,
        workers=job.workers,
        strict=strict,
        beam=beam,
    )
    notes = {
        "problems.csv": problems_csv([*problems, *table_problems(job.columns)]),
        ORIGIN: (job.work / ORIGIN).read_text(),
        SOURCE: source,
    }
    store = write_claimed(corpus, job.data_dir, notes=notes, beam=beam)
    summary = _summary(corpus, problems, store)
    del corpus
    for folder in outdated:
        folder.rmtree(missing_ok=True)
    return summary


def _cache_of(store: epath.Path) -> list[epath.Path]:
    """The arrays that were read out of a store before it is replaced."""
    try:
        return [cached_arrays(store)]
    except OSError:
        # There is no store, or nothing of it can be read.
        return []


def _summary(corpus: Corpus, problems: list[Problem], store: epath.Path) -> str:
    emotions = Counter(corpus.columns["emotion"].tolist())
    unlabelled = emotions.pop("", 0)
    counts = [f"{word} {number}" for word, number in emotions.most_common()]
    if unlabelled:
        counts.append(f"unlabelled {unlabelled}")
    speakers = corpus.columns["speaker"]
    without_speaker = int((speakers == "").sum())
    lines = [
        f"{len(corpus)} utterances of {len(set(speakers.tolist()) - {''})} speakers"
        f"{_hours(corpus)}",
        f"emotions: {', '.join(counts)}",
    ]
    if without_speaker:
        lines.append(f"utterances without a speaker: {without_speaker}")
    for severity in ("error", "warning"):
        of_this = [problem for problem in problems if problem.severity == severity]
        if of_this:
            lost = {p.utt_id for p in of_this if p.severity == "error"}
            loud = many_lost(len(lost), len(corpus) + len(lost))
            where = store / "problems.csv"
            lines.append(
                f"{severity}s: {len(of_this)}, in {where}{f': {loud}' * bool(loud)}"
            )
            lines += [f"  {reason}" for reason in count_reasons(of_this)]
    return "\n".join([*lines, f"store: {store}", _next_step(store)])


def _hours(corpus: Corpus) -> str:
    if "duration" not in corpus.columns:
        return ""
    return f", {corpus.columns['duration'].astype(np.float64).sum() / 3600:.2f} hours"


def _next_step(store: epath.Path) -> str:
    first = f"runs/{store.parent.name}"
    names = itertools.chain([first], (f"{first}-{n}" for n in itertools.count(2)))
    workdir = next(name for name in names if not _is_older(name, store))
    return (
        f"train: dann-train --config=recommended --config.data.source={store.parent} "
        f"--workdir={workdir}"
    )


def _is_older(workdir: str, store: epath.Path) -> bool:
    """Whether a run is there that began before the store: on other data, if on any."""
    config, metadata = epath.Path(workdir) / "config.json", store / "metadata.json"
    return config.exists() and config.stat().mtime < metadata.stat().mtime
