"""From a labelled corpus and somebody's recordings to predictions for these."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from etils import epath
from ml_collections import ConfigDict

from dann_jax.bundle import load_bundle
from dann_jax.bundle.description import modalities_of
from dann_jax.bundle.prediction_files import write_csv
from dann_jax.bundle.predictions import ClipPrediction
from dann_jax.bundle.provenance import extractors_of
from dann_jax.bundle.recordings import Clip
from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.features.catalogue import specification
from dann_jax.data.features.joining import read_problems
from dann_jax.data.features.pretrained import PRETRAINED
from dann_jax.data.joined import SIDE
from dann_jax.data.manifest import write_manifest
from dann_jax.data.open import is_corpus
from dann_jax.data.prepare import prepare
from dann_jax.data.selection import keep_rows
from dann_jax.data.store.layout import store_folder
from dann_jax.experiment.build import open_data
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.experiment.target_recordings import recordings_of
from dann_jax.experiment.workdir import TARGET_FOLDER, require_ours
from dann_jax.tasks.roles import TARGET
from dann_jax.utils.files import open_whole
from dann_jax.utils.words import listed, shorten

_log = logging.getLogger(__name__)


class Adapted(NamedTuple):
    """What `adapt` leaves.

    Attributes:
      results: as in `results.json`.
      predictions: the file of predictions, a row for each recording.
      left_out: recordings without a row, and why.
      silent: recordings without sound, whose rows mean nothing.
    """

    results: Mapping[str, Any]
    predictions: epath.Path
    left_out: list[str]
    silent: list[str]


def adapt(
    config: ConfigDict,
    to: epath.PathLike,
    workdir: epath.PathLike,
    *,
    speakers: str = "",
    encoder: epath.PathLike | None = None,
) -> Adapted:
    """Adapt to recordings without labels, and predict them.

    Args:
      config: as `configs/adapt.py` has it, `data.source` being the labelled corpus.
      to: a prepared store or feature table, or what `recordings_of` takes; features of
        recordings are made as those of the source were, in `workdir/target`.
      workdir: as in `train_and_evaluate`, where everything else is left, too.
      speakers: as in `recordings_of`.
      encoder: folder of the pretrained encoder that made the features of the source.

    Raises:
      CorpusError: a corpus or the recordings cannot be used.
      ValueError: see `train_and_evaluate`.
    """
    workdir = epath.Path(workdir)
    require_ours(workdir)
    of_source = config.copy_and_resolve_references().unlock()
    of_source.data.target = ""
    source = open_data(of_source)
    config = config.copy_and_resolve_references()
    left_out, silent = [], []
    if is_corpus(to):
        target = epath.Path(to)
    else:
        target = prepared(to, source, workdir, speakers=speakers, encoder=encoder)
        left_out, silent = _left_out(target), _silent(target)
    with config.unlocked():
        config.data.target = str(target)
        config.protocol.split_args.folds = rehearsals(config, source)
    results = train_and_evaluate(config, workdir)
    return Adapted(results, write_predictions(config, workdir), left_out, silent)


def prepared(
    to: epath.PathLike,
    source: Corpus,
    workdir: epath.Path,
    *,
    speakers: str = "",
    encoder: epath.PathLike | None = None,
) -> epath.Path:
    """The store of recordings, with features made as those of the source were.

    Args:
      to: as in `recordings_of`.
      source: whose features are the example.
      workdir: of the run; the store is in its folder `target`, and an earlier call is
        gone on with.
      speakers: as in `recordings_of`.
      encoder: folder of the pretrained encoder, where one is needed.

    Raises:
      CorpusError: no recording can be used or has sound, or the recordings have
        changed since the run began.
      BundleError: the features cannot be made here, or not as they were.
    """
    modalities = modalities_of(source)
    unknown = [name for name, kind in modalities.items() if kind.provenance is None]
    if unknown:
        raise CorpusError(
            f"it is unknown how the features {', '.join(unknown)} of the source were "
            f"made, so that they cannot be made of {to}; make them yourself, and let "
            f"--to name a feature table or a store that holds them"
        )
    extractors_of(modalities, encoder)
    features = dict(
        _specification(kind.provenance, encoder) for kind in modalities.values()
    )
    folder = workdir / TARGET_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.csv"
    recordings = recordings_of(to, speakers)
    write_manifest(manifest, recordings)
    began = (workdir / "config.json").exists()
    try:
        prepare(
            {TARGET: manifest},
            layouts={TARGET: "manifest"},
            features=features,
            data_dir=folder,
            name=TARGET,
            renew=not began,
        )
    except CorpusError as error:
        if not began:
            raise
        raise CorpusError(
            f"{to} is not what the run in {workdir} began with: choose another "
            f"--workdir, or put back the old recordings ({error})"
        ) from None
    store, count = store_folder(TARGET, folder), len(recordings["utt_id"])
    if (silent := _silent(store)) and len(silent) + len(_left_out(store)) == count:
        raise CorpusError(
            f"none of the {count} recordings that {to} names has sound: "
            f"{listed(map(shorten, silent), 3)} can be read and are silent"
        )
    return store


def _specification(
    provenance: Mapping[str, Any], encoder: epath.PathLike | None
) -> tuple[str, dict[str, Any]]:
    if encoder and provenance["extractor"] == PRETRAINED:
        return specification(provenance, folder=encoder)
    return specification(provenance)


def write_predictions(config: ConfigDict, workdir: epath.Path) -> epath.Path:
    """Write `predictions.csv`: what the bundle of a run says to each target recording.

    Args:
      config: of the run.
      workdir: of the run, which has ended.
    """
    # The encoder may be one that the config names.
    bundle = load_bundle(workdir / "bundle", allow_code=True)
    corpus = keep_rows(open_data(config), {SIDE: (TARGET,)})
    answers = bundle.predict_corpus(corpus)
    names = corpus.columns.get("file", corpus.column("utt_id"))
    times = {
        name: corpus.numbers(name)
        if name in corpus.columns
        else np.full(len(corpus), np.nan)
        for name in ("start", "duration")
    }
    predictions = [
        ClipPrediction(
            Clip(str(name), str(name), np.nan_to_num(start)),
            duration,
            bundle.named(row),
        )
        for name, start, duration, row in zip(
            names, times["start"], times["duration"], answers, strict=True
        )
    ]
    path = workdir / "predictions.csv"
    timed = bool(np.isfinite(times["start"]).any())
    with open_whole(path) as file:
        write_csv(file, predictions, bundle.columns, timed=timed)
    return path


def _left_out(store: epath.Path) -> list[str]:
    """The recordings that could not be used, and why."""
    problems = read_problems(store / "problems.csv")
    return [f"{p.file}: {p.reason}" for p in problems if p.severity == "error"]


def _silent(store: epath.Path) -> list[str]:
    """The recordings that hold no sound."""
    problems = read_problems(store / "problems.csv")
    return [problem.file for problem in problems if problem.reason == "silent"]


_SEVERAL = {"speaker": "speakers", "corpus": "corpora"}


def rehearsals(config: ConfigDict, source: Corpus) -> int:
    """As many rehearsals as wanted, or as there are speakers (or corpora) with labels.

    Args:
      config: of the run; `protocol.split_args.group` says what is held out.
      source: its labelled corpus.
    """
    wanted = config.protocol.split_args.folds
    group = config.protocol.split_args.get("group", "speaker")
    emotion, labels = source.column("emotion"), config.protocol.labels
    labelled = np.isin(emotion, labels) if labels else emotion != ""
    count = len({*source.column(group)[labelled].tolist()} - {""})
    corpora = source.columns.get("corpus", np.full(len(source), ""))
    if group == "speaker" and len({*corpora[labelled].tolist()} - {""}) > 1:
        _log.info(
            "speakers of the source are held out to rehearse. It has several corpora: "
            "for a target of another kind, such as another language, hold out these "
            "(--config.protocol.split_args.group=corpus; docs/adaptation.md)"
        )
    if wanted <= count:
        return wanted
    if count > 1:
        _log.warning(
            "the source has labels of %d %s: each is held out in turn, %d rehearsals "
            "instead of %d",
            *(count, _SEVERAL.get(group, f"values of {group}"), count, wanted),
        )
        return count
    _log.warning(
        "the source has one %s with labels, and none to hold out: nothing says whether "
        "adapting works, and the bundle keeps the arm that does not adapt",
        group,
    )
    return 0
