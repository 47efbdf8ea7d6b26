"""The story of a preparation: read a corpus, compute its features, write its store."""

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from etils import epath

from dann_jax.corpora.corpus import Corpus, CorpusError
from dann_jax.corpora.readers import read_audio_corpus
from dann_jax.features.extraction import extract
from dann_jax.features.joining import Problem, problems_csv
from dann_jax.features.parts import Features
from dann_jax.features.settings import differences, settings_of
from dann_jax.store import read_metadata, store_folder, write_store
from dann_jax.store.reading import cache_folder
from dann_jax.store.writing import require_beam

Columns = Mapping[str, np.ndarray]


def prepare(
    sources: Mapping[str, epath.PathLike],
    *,
    features: Features,
    data_dir: epath.PathLike,
    name: str,
    layouts: Mapping[str, str] = {},
    emotions: epath.PathLike | None = None,
    strict: bool = False,
    workers: int = 0,
    runner: str | None = None,
    per_speaker: int = 0,
) -> str:
    """Make the store of a corpus, or find it made.

    Args:
      sources: name of a corpus -> folder. Of several, one store is made, with the
        name before every id and speaker.
      features: word of an extractor -> its parameters.
      data_dir: where stores are kept.
      name: of the store.
      layouts: name of a corpus -> its layout in `AUDIO_CORPORA`, where the name is
        another one: `{"home": "manifest", "work": "manifest"}`.
      emotions: a map of one's own from words to emotions.
      strict: refuse to leave out files that cannot be used.
      workers: processes; 0 for one a core.
      runner: of Apache Beam, to write the store.
      per_speaker: at most so many recordings of each speaker, evenly spread over the
        order of the corpus, to try things out; 0 for all.

    Returns:
      What to tell the person who asked.

    Raises:
      CorpusError: a corpus cannot be read, there is a store of that name that was made
        in another way, or what `extract` and `write_store` raise.
    """
    if runner:
        # Not after all recordings have been gone through.
        require_beam()
    columns = _read(sources, layouts, emotions)
    if per_speaker:
        columns = some_of_each(columns, per_speaker)
    store = store_folder(name, data_dir)
    if store.exists():
        _require_same(store, settings_of(columns, features))
        return f"{store} is there already, made in the same way\n{_next_step(store)}"
    roots = {corpus: _root(source) for corpus, source in sources.items()}
    folder = _work_folder(name, data_dir)
    corpus, problems = extract(
        columns,
        roots if len(roots) > 1 else next(iter(roots.values())),
        features,
        folder,
        name=name,
        workers=workers,
        strict=strict,
    )
    notes = {"problems.csv": problems_csv(problems)}
    store = write_store(corpus, data_dir, notes=notes, runner=runner)
    summary = _summary(corpus, problems, store)
    del corpus
    folder.rmtree()
    return summary


def _read(
    sources: Mapping[str, epath.PathLike],
    layouts: Mapping[str, str],
    emotions: epath.PathLike | None,
) -> Columns:
    tables = {
        corpus: dict(read_audio_corpus(layouts.get(corpus, corpus), source, emotions))
        for corpus, source in sources.items()
    }
    if len(tables) == 1:
        return next(iter(tables.values()))
    for corpus, table in tables.items():
        for name in {"utt_id", "speaker", "dialogue"} & set(table):
            # An empty value stays one: it says that nothing is known.
            known = [f"{corpus}:{text}" if text else "" for text in table[name]]
            table[name] = np.array(known)
        table["corpus"] = np.full(len(table["utt_id"]), corpus)
    names = dict.fromkeys(name for table in tables.values() for name in table)
    return {
        name: np.concatenate(
            [t.get(name, np.full(len(t["utt_id"]), "")) for t in tables.values()]
        )
        for name in names
    }


def some_of_each(columns: Columns, count: int) -> Columns:
    """At most `count` rows of each speaker, evenly spread over those there are.

    Example:
      >>> rows = np.array(["a", "b", "a", "a", "a", "a"])
      >>> some_of_each({"speaker": rows, "utt_id": np.arange(6)}, 3)["utt_id"]
      array([0, 1, 3, 5])
    """
    chosen = []
    for speaker in np.unique(columns["speaker"]):
        rows = np.flatnonzero(columns["speaker"] == speaker)
        kept = np.linspace(0, len(rows) - 1, min(count, len(rows))).round()
        chosen.append(rows[kept.astype(int)])
    rows = np.sort(np.concatenate(chosen))
    return {name: column[rows] for name, column in columns.items()}


def _root(source: epath.PathLike) -> epath.Path:
    """What files are relative to: a source may be a manifest."""
    path = epath.Path(source)
    return path if path.is_dir() else path.parent


def _require_same(store: epath.Path, settings: Mapping[str, Any]) -> None:
    found = differences(read_metadata(store)["provenance"], settings)
    if found:
        raise CorpusError(
            f"{store} was made in another way: {'; '.join(found)}. Delete it, or "
            f"choose another --name or --data_dir"
        )


def _work_folder(name: str, data_dir: epath.PathLike) -> epath.Path:
    """Where parts are kept until the store is there; a bucket cannot be mapped."""
    work = f".{store_folder(name, '').parent.name}.prepare"
    if "://" in os.fspath(data_dir):
        return cache_folder() / work
    return epath.Path(data_dir) / work


def _summary(corpus: Corpus, problems: list[Problem], store: epath.Path) -> str:
    emotions = Counter(corpus.columns["emotion"].tolist())
    unlabelled = emotions.pop("", 0)
    counts = [f"{word} {number}" for word, number in emotions.most_common()]
    if unlabelled:
        counts.append(f"unlabelled {unlabelled}")
    lines = [
        f"{len(corpus)} utterances of "
        f"{len(np.unique(corpus.columns['speaker']))} speakers{_hours(corpus)}",
        f"emotions: {', '.join(counts)}",
    ]
    for severity, number in sorted(Counter(p.severity for p in problems).items()):
        lines.append(f"{severity}s: {number}, in {store / 'problems.csv'}")
    return "\n".join([*lines, f"store: {store}", _next_step(store)])


def _hours(corpus: Corpus) -> str:
    if "duration" not in corpus.columns:
        return ""
    return f", {corpus.columns['duration'].astype(np.float64).sum() / 3600:.2f} hours"


def _next_step(store: epath.Path) -> str:
    workdir = f"runs/{store.parent.name}"
    return (
        f"train: dann-train --config=speakers --config.data.source={store.parent} "
        f"--workdir={workdir}"
    )
