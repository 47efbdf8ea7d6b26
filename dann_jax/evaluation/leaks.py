"""Known leaks, put in on purpose, to measure what each is worth.

Each function takes something honest and returns its leaky twin, which differs in the
leak alone: as many rows of each class are labelled. The twin's protocol names the leak
in `allowed_leaks`, so that every table says so. Nothing here goes round a guard of
`protocols`: where the leak is a shared column, `require_disjoint` finds it.
"""

import dataclasses
from collections.abc import Collection

import numpy as np

from dann_jax.corpora.corpus import Corpus
from dann_jax.corpora.frames import Frames
from dann_jax.protocols import Protocol, Role
from dann_jax.splits import ProtocolError
from dann_jax.standardise import fit_standardiser
from dann_jax.task import Task
from dann_jax.types import UNKNOWN

LEAKS = {
    "speaker": "speakers are both trained on and tested",
    "recording": "copies of test recordings are trained on",
    "text": "sentences are both trained on and tested",
    "normalisation": "test rows fit the normalisation",
    "selection": "test labels choose the step to keep",
    "balance": "test labels balance the classes that the adversary sees",
}
"""The name of a leak in `allowed_leaks` -> what it means."""


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
        protocol,
        roles=protocol.roles[:, source],
        test_side=protocol.test_side[:, source],
        allowed_leaks=_with(protocol, "speaker"),
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
        own[_drawn_as(wanted, labelled, protocol, fold, rng)] = Role.HELD_OUT
    fold_of = np.repeat(np.arange(len(roles)), [len(rows) for rows in copies])
    added = fold_of == np.arange(len(roles))[:, None]
    order = np.concatenate([np.arange(len(corpus)), *copies])
    return _with_copies(corpus, order), dataclasses.replace(
        protocol,
        roles=np.hstack(
            [roles, np.where(added, Role.LABELLED, Role.HELD_OUT).astype(roles.dtype)]
        ),
        label=protocol.label[order],
        test_side=np.hstack([protocol.test_side, np.zeros_like(added)]),
        allowed_leaks=_with(protocol, "speaker", "recording"),
    )


def disjoint_texts(
    protocol: Protocol, corpus: Corpus, *, tested: Collection[str], column: str = "text"
) -> Protocol:
    """The honest twin of `share_texts`: these sentences are tested and nothing else.

    Corpora of acted speech have few sentences, which everybody says, so that a split
    by speaker shares all of them.

    Args:
      protocol: any.
      corpus: with `column`.
      tested: the sentences to test; rows of all others are not tested, and rows of
        these take no other part.
      column: what was said.

    Raises:
      ProtocolError: a class has no labelled or no tested row left.
    """
    is_tested = np.isin(corpus.column(column), list(tested))
    role_fits = np.where(protocol.roles == Role.TEST, is_tested, ~is_tested)
    roles = np.where(role_fits, protocol.roles, Role.HELD_OUT)
    for fold, own in enumerate(roles):
        for role in (Role.LABELLED, Role.TEST):
            lost = set(protocol.label[protocol.roles[fold] == role])
            lost -= set(protocol.label[own == role])
            if lost:
                names = ", ".join(protocol.labels[index] for index in sorted(lost))
                raise ProtocolError(
                    f"fold {protocol.folds[fold]!r}: without shared {column} no "
                    f"{role.name.lower()} row of {names} is left; test other sentences"
                )
    return dataclasses.replace(protocol, roles=roles.astype(protocol.roles.dtype))


def share_texts(
    protocol: Protocol, corpus: Corpus, *, seed: int, column: str = "text"
) -> Protocol:
    """As many labelled rows of each class, drawn from tested sentences too.

    Args:
      protocol: from `disjoint_texts`; validation and test rows stay as they are.
      corpus: with `column` and `speaker`; only speakers who are trained on anyway come
        in with more sentences.
      seed: of the draw.
      column: what was said.

    Raises:
      ProtocolError: a fold has no such row.
    """
    rng, texts, speaker = (
        np.random.default_rng(seed),
        corpus.column(column),
        corpus.column("speaker"),
    )
    roles = protocol.roles.copy()
    for fold, own in enumerate(roles):
        labelled = own == Role.LABELLED
        more = (own == Role.HELD_OUT) & (protocol.label != UNKNOWN)
        more &= np.isin(texts, texts[own == Role.TEST])
        more &= np.isin(speaker, speaker[labelled]) & ~protocol.test_side[fold]
        if not more.any():
            raise ProtocolError(
                f"fold {protocol.folds[fold]!r} has no row with a tested {column} by "
                f"a speaker who is trained on; start from disjoint_texts"
            )
        pool = np.flatnonzero(labelled | more)
        own[labelled] = Role.HELD_OUT
        wanted = protocol.label[labelled]
        own[_drawn_as(wanted, pool, protocol, fold, rng)] = Role.LABELLED
    leaks = _with(protocol, column)
    return dataclasses.replace(protocol, roles=roles, allowed_leaks=leaks)


def normalise_over_all(task: Task) -> Task:
    """Mean and scale of every row, test rows included, in place of labelled ones.

    Standardising the corpus beforehand would be no leak here: what the labelled rows
    fit afterwards undoes it.
    """
    everything = np.full_like(task.protocol.roles, Role.LABELLED)
    standardiser = fit_standardiser(
        task.corpus, dataclasses.replace(task.protocol, roles=everything)
    )
    return dataclasses.replace(
        task,
        protocol=_leaky(task.protocol, "normalisation"),
        training=dataclasses.replace(task.training, standardiser=standardiser),
        evaluation=dataclasses.replace(task.evaluation, standardiser=standardiser),
    )


def select_on_test(task: Task) -> tuple[Task, Task]:
    """The oracle: the step is chosen by the score of the rows that are tested.

    Returns:
      The task to train and to score, which differs in name only; and the task for the
      `Selector` alone, in which the tested rows are the validation rows.
    """
    named = _leaky(task.protocol, "selection")
    roles = np.where(named.roles == Role.VALIDATION, Role.HELD_OUT, named.roles)
    roles = np.where(roles == Role.TEST, Role.VALIDATION, roles)
    oracle = dataclasses.replace(named, roles=roles.astype(named.roles.dtype))
    return (
        dataclasses.replace(task, protocol=named),
        dataclasses.replace(task, protocol=oracle),
    )


def balance_source(task: Task, *, seed: int) -> Task:
    """The adversary sees as many labelled rows of each class: no leak, the control."""
    return _balanced(task, task.protocol.roles == Role.LABELLED, seed)


def balance_target(task: Task, *, seed: int) -> Task:
    """The adversary sees as many rows of each class from the tested side.

    Classes that are more frequent lose rows, by their true labels. Label shift between
    source and target, which makes adversaries fail, is gone where the source is
    balanced too.

    Raises:
      ProtocolError: no adversary sees a tested row: the protocol is inductive.
    """
    rows = task.protocol.roles == Role.TEST
    seen = [(ids != UNKNOWN) & rows for ids in task.training.domain.values()]
    if not np.any(seen):
        raise ProtocolError(
            "no adversary sees a tested row; to balance them needs a transductive "
            "protocol (unlabelled: test) and an adversary over the test pool"
        )
    balanced = _balanced(task, rows, seed)
    return dataclasses.replace(balanced, protocol=_leaky(task.protocol, "balance"))


def _balanced(task: Task, rows: np.ndarray, seed: int) -> Task:
    """Rows (bool `[F, N]`) beyond the rarest class's count lose their domain ids."""
    rng, label = np.random.default_rng(seed), task.protocol.label
    surplus = rows.copy()
    for fold in range(len(rows)):
        values, counts = np.unique(label[rows[fold]], return_counts=True)
        for value in values:
            own = np.flatnonzero(rows[fold] & (label == value))
            surplus[fold, rng.choice(own, counts.min(), replace=False)] = False
    domain = {
        name: np.where(surplus, UNKNOWN, ids).astype(np.int32)
        for name, ids in task.training.domain.items()
    }
    training = dataclasses.replace(task.training, domain=domain)
    return dataclasses.replace(task, training=training)


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


def _drawn_as(
    wanted: np.ndarray,
    pool: np.ndarray,
    protocol: Protocol,
    fold: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Rows of the pool with as many of each label as `wanted` has."""
    drawn = []
    for value, count in zip(*np.unique(wanted, return_counts=True), strict=True):
        own = pool[protocol.label[pool] == value]
        if len(own) < count:
            raise ProtocolError(
                f"fold {protocol.folds[fold]!r} has {len(own)} rows of "
                f"{protocol.labels[value]!r} to exchange, {count} are needed"
            )
        drawn.append(rng.choice(own, count, replace=False))
    return np.concatenate(drawn)


def _leaky(protocol: Protocol, leak: str) -> Protocol:
    return dataclasses.replace(protocol, allowed_leaks=_with(protocol, leak))


def _with(protocol: Protocol, *leaks: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*protocol.allowed_leaks, *leaks]))
