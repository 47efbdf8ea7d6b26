"""What the leak study runs: the corpora, and every leak with its control."""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from benchmarks.studies import leaks
from dann_jax.data.corpus import Corpus
from dann_jax.experiment.build import build_from_protocol, open_data
from dann_jax.experiment.config import EIGHT, FOUR, SEVEN, base_config, unseen_speakers
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol
from dann_jax.tasks.task import Task


class Study(NamedTuple):
    """A corpus under its honest protocol.

    Attributes:
      config: of every run.
      corpus: of utterances alone; its column `text` says what is read out.
      protocol: the honest one.
      texts: groups of sentences, each of which is left out in turn.
    """

    config: ConfigDict
    corpus: Corpus
    protocol: Protocol
    texts: Sequence[Sequence[str]]


class Run(NamedTuple):
    """What is trained, and the task whose validation rows select, if any do."""

    task: Task
    selecting: Task | None = None


def open_study(name: str, source: str) -> Study:
    """One of `CORPORA`, read from a folder."""
    config, groups = CORPORA[name]()
    config.data.source = source
    config.timetable.checkpoint_every = config.timetable.epochs
    config.timetable.gradients_every = 0
    config.lock()
    corpus = open_data(config)
    columns = dict(corpus.columns)
    # Turns of a dialogue see each other: then a random split of them, or a copy
    # without its neighbours, would change more than what is shared.
    dialogue = columns.pop("dialogue", np.array([""]))
    scripts = [re.search(r"script\d\d", name) for name in dialogue]
    if any(scripts):
        columns["text"] = np.array(
            [found.group() if found else "" for found in scripts]
        )
    corpus = dataclasses.replace(corpus, columns=columns)
    said = np.setdiff1d(corpus.column("text"), [""])
    protocol = make_protocol(corpus, **config.protocol)
    texts = [part.tolist() for part in np.array_split(said, groups)]
    return Study(config, corpus, protocol, texts)


def ravdess() -> tuple[ConfigDict, int]:
    """Six groups of speakers; a text is one of the two sentences that all read."""
    return acted(EIGHT, groups=6)


def emodb() -> tuple[ConfigDict, int]:
    """Speakers left out one by one; a text is half of the ten sentences."""
    return acted(FOUR)


def emovo() -> tuple[ConfigDict, int]:
    """Speakers left out one by one; a text is half of the fourteen sentences."""
    return acted(SEVEN)


def acted(labels: Sequence[str], groups: int = 0) -> tuple[ConfigDict, int]:
    """The package's defaults with half of the epochs; sentences in two groups."""
    config = unseen_speakers(labels, groups)
    config.timetable.epochs = 15
    return config, 2


def iemocap() -> tuple[ConfigDict, int]:
    """Sessions left out; a text is one of the three scripts that all sessions play."""
    config = base_config()
    config.data.rows = ConfigDict({"emotion": FOUR})
    config.protocol.update(split_args=ConfigDict({"column": "session"}))
    config.arms.dann.speaker = 0.1
    config.batches.batch_size = 64
    config.timetable.epochs = 6
    return config, 3


CORPORA: Mapping[str, Callable[[], tuple[ConfigDict, int]]] = {
    "emodb": emodb,
    "emovo": emovo,
    "ravdess": ravdess,
    "iemocap": iemocap,
}
"""Name -> config, and in how many groups sentences are left out."""


def honest(study: Study, seed: int) -> Run:
    """Nothing leaks; the last step is kept."""
    del seed
    return run_of(study)


def selection(study: Study, seed: int) -> Run:
    """The best step of each model by the UA of the rows that it is tested on."""
    del seed
    return Run(*leaks.select_on_test(run_of(study).task))


def speaker(study: Study, seed: int) -> Run:
    """A random split of utterances, class by class, in place of people."""
    return run_of(study, leaks.share_speakers(study.protocol, seed=seed))


def recording(study: Study, seed: int) -> Run:
    """A copy of every tenth test row replaces a labelled row of its class."""
    corpus, protocol = leaks.duplicate_recordings(
        study.corpus, study.protocol, share=0.1, seed=seed
    )
    return run_of(study._replace(corpus=corpus), protocol)


def normalisation(study: Study, seed: int) -> Run:
    """All rows fit the mean and scale, tested ones too."""
    del seed
    return Run(leaks.normalise_over_all(run_of(study).task))


def thinned(study: Study, seed: int) -> Run:
    """The adversary sees balanced labelled rows, and as many tested as `balance`."""
    task = leaks.balance_source(run_of(study).task, seed=seed)
    return Run(leaks.subsample_target(task, seed=seed))


def balance(study: Study, seed: int) -> Run:
    """The adversary sees balanced labelled rows and balanced tested rows."""
    task = leaks.balance_source(run_of(study).task, seed=seed)
    return Run(leaks.balance_target(task, seed=seed))


def new_texts(study: Study, seed: int) -> Run:
    """Tested sentences are not trained on; all are tested in turn."""
    del seed
    return run_of(study, _every_text(study))


def text(study: Study, seed: int) -> Run:
    """As many labelled rows, drawn from all sentences."""
    protocol = leaks.share_texts(_every_text(study), study.corpus, seed=seed)
    return run_of(study, protocol)


def _every_text(study: Study) -> Protocol:
    return leaks.every_text(study.protocol, study.corpus, groups=study.texts)


def run_of(study: Study, protocol: Protocol | None = None) -> Run:
    """The study under another protocol than its own."""
    return Run(
        build_from_protocol(study.config, study.corpus, protocol or study.protocol)[0]
    )


RUNS: Mapping[str, Callable[[Study, int], Run]] = {
    run.__name__: run
    for run in (
        honest,
        speaker,
        selection,
        recording,
        normalisation,
        new_texts,
        text,
        thinned,
        balance,
    )
}
"""Everything that is trained for each corpus and seed."""

CONTROLS = {
    "speaker": "honest",
    "selection": "honest",
    "recording": "honest",
    "text": "new_texts",
    "normalisation": "honest",
    "balance": "thinned",
}
"""Leak, as `leaks.LEAKS` calls it -> the honest run that differs in it alone."""
