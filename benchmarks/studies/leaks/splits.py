"""Leaks of the split: who is trained on."""

import dataclasses

import numpy as np

from benchmarks.studies.leaks.names import drawn_as, with_leaks
from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.tasks.roles import Protocol, Role


def share_speakers(protocol: Protocol, *, seed: int) -> Protocol:
    """A random split of the same sizes: utterances of a label change places.

    One permutation serves all folds, so that rows that were tested once still are, and
    every role keeps its count of every class.

    Args:
      protocol: any.
      seed: of the permutation.
    """
    rng = np.random.default_rng(seed)
    source = np.arange(len(protocol.label))
    for value in np.unique(protocol.label):
        rows = np.flatnonzero(protocol.label == value)
        source[rows] = rng.permutation(rows)
    return dataclasses.replace(
        with_leaks(protocol, "speaker"),
        roles=protocol.roles[:, source],
        test_side=protocol.test_side[:, source],
    )


def duplicate_recordings(
    corpus: Corpus, protocol: Protocol, *, share: float, seed: int
) -> tuple[Corpus, Protocol]:
    """Copies of some test rows replace as many labelled rows of their classes.

    So it is where recordings were copied or augmented before the split.

    Args:
      corpus: any; `Frames` are read into memory.
      protocol: its roles.
      share: of the test rows of each fold, in (0, 1].
      seed: of the choice.

    Returns:
      The corpus with the copies at its end, each a dialogue of its own, and with the
      column `recording`, which a copy shares with its original; and their protocol.

    Raises:
      ProtocolError: a fold has fewer labelled rows of a class than copies.
    """
    rng = np.random.default_rng(seed)
    roles, copies = protocol.roles.copy(), []
    for fold, own in enumerate(roles):
        tested = np.flatnonzero(own == Role.TEST)
        count = int(np.ceil(share * len(tested)))
        copies.append(rng.choice(tested, count, replace=False))
        labelled = np.flatnonzero(own == Role.LABELLED)
        wanted = protocol.label[copies[-1]]
        own[drawn_as(wanted, labelled, protocol, fold, rng)] = Role.HELD_OUT
    fold_of = np.repeat(np.arange(len(roles)), [len(rows) for rows in copies])
    added = fold_of == np.arange(len(roles))[:, None]
    order = np.concatenate([np.arange(len(corpus)), *copies])
    return _with_copies(corpus, order), dataclasses.replace(
        with_leaks(protocol, "speaker", "recording"),
        roles=np.hstack(
            [roles, np.where(added, Role.LABELLED, Role.HELD_OUT).astype(roles.dtype)]
        ),
        label=protocol.label[order],
        value=None if protocol.value is None else protocol.value[order],
        test_side=np.hstack([protocol.test_side, np.zeros_like(added)]),
        adapt_side=np.hstack([protocol.adapt_side, np.zeros_like(added)]),
    )


def _with_copies(corpus: Corpus, order: np.ndarray) -> Corpus:
    """The rows in this order, those beyond the corpus as copies under new ids."""
    rows = len(corpus)
    columns = {name: column[order] for name, column in corpus.columns.items()}
    recording = columns["utt_id"]
    new = [f"{name}#{number}" for number, name in enumerate(recording[rows:], start=1)]
    columns["utt_id"] = np.concatenate([recording[:rows], np.array(new, dtype=str)])
    columns["recording"] = recording
    if "dialogue" in columns:
        columns["dialogue"] = columns["dialogue"].copy()
        columns["dialogue"][rows:] = ""
    return dataclasses.replace(
        corpus,
        columns=columns,
        features={
            name: array.take(order) if isinstance(array, Frames) else array[order]
            for name, array in corpus.features.items()
        },
        present={name: flags[order] for name, flags in corpus.present.items()},
    )
