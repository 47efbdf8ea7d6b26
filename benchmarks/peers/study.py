"""A corpus as both sides train on it: features, folds, and what a fold may know."""

import json
import pathlib
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from benchmarks.folds import Folds
from dann_jax.data.corpus import Corpus
from dann_jax.tasks.domains import domain_ids
from dann_jax.tasks.nested import nested_protocol
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.standardise import fit_standardiser
from dann_jax.tasks.task import Task
from dann_jax.utils.files import open_whole

INNER_FOLDS = 3


class Study(NamedTuple):
    """A corpus.

    Attributes:
      outer: its folds.
      inner: folds within them, of one seed, by which settings are chosen.
      options: of the network and its training, in which both sides are alike.
    """

    outer: Folds
    inner: Folds
    options: Mapping[str, Any]


def study_of(task: Task, config: ConfigDict, seeds: int) -> Study:
    """What our run of a config is trained on."""
    corpus, protocol = task.corpus, task.protocol
    nested = nested_protocol(protocol, corpus, folds=INNER_FOLDS)
    options = {
        "classes": len(protocol.labels),
        "width": config.encoder.width,
        "dropout": config.encoder.dropout,
        "weight_decay": config.optimizer.weight_decay,
        # So many of each side.
        "batch_size": 2 * config.batches.batch_size,
    }
    return Study(
        Folds(corpus, protocol, seeds),
        Folds(corpus, nested.protocol, 1, nested.outer),
        options,
    )


def export(corpus: Corpus, protocol: Protocol, path: pathlib.Path) -> None:
    """Write what the other process may know: no label of a row that is not labelled.

    Raises:
      ValueError: rows have several modalities, or none: a peer takes one vector.
    """
    if len(corpus.features) != 1:
        raise ValueError(
            f"{corpus.name} has the modalities {', '.join(corpus.features)}; the peers "
            f"take one vector: name one by --config.data.modalities when it is prepared"
        )
    ((modality, features),) = corpus.features.items()
    if not corpus.present[modality].all():
        raise ValueError(
            f"{(~corpus.present[modality]).sum()} rows of {corpus.name} have no "
            f"{modality}, and the peers take one vector for every row"
        )
    mean, scale = fit_standardiser(corpus, protocol)[modality]
    side, _ = domain_ids(protocol, corpus, column="side")
    with open_whole(path, "wb") as file:
        np.savez(
            file,
            x=np.asarray(features, np.float32),
            mean=mean,
            scale=scale,
            label=protocol.erased_labels(),
            # For skada the source is above 0 and the target below.
            domain=np.select([side == 0, side == 1], [1, -1], 0).astype(np.int8),
            tested=protocol.roles == Role.TEST,
        )


Fits = Sequence[Mapping[str, Any]]


def fitter(
    folds: Folds, options: Mapping[str, Any], folder: pathlib.Path, python: str
) -> Callable[[Fits], None]:
    """A function that has the other process make fits on the folds.

    What is made stays in `folder`; fits that are there are not made again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, path = folder / "data.npz", folder / "job.json"
    if not data.exists():
        export(folds.corpus, folds.protocol, data)

    def make(fits: Fits) -> None:
        job = {
            "data": str(data),
            "folder": str(folder / "fits"),
            "fits": list(fits),
            **options,
        }
        path.write_text(json.dumps(job))
        script = pathlib.Path(__file__).with_name("skada_process.py")
        code = subprocess.run([python, script, path], check=False).returncode
        if code:
            raise ValueError(f"{python} {script} {path} failed with {code}")

    return make


def are_made(folder: pathlib.Path, names: Sequence[str]) -> bool:
    """Whether a `fitter` has left all of these fits in its folder."""
    return all((folder / "fits" / f"{name}.npz").exists() for name in names)


def logits_of(
    folder: pathlib.Path, protocol: Protocol, fits: Sequence[Sequence[tuple[str, int]]]
) -> np.ndarray:
    """What fits predict for the tested rows, in the order of our predictions.

    Args:
      folder: that of a `fitter`.
      protocol: whose folds they are of.
      fits: of each group (fold, seed; folds first) and arm, the name of the fit and
        the index of the epoch to read.

    Returns:
      Float32 `[groups, arms, tested rows, classes]`, NaN where a fold does not test a
      row.
    """
    tested = protocol.roles == Role.TEST
    tested = tested[:, tested.any(0)]
    seeds = len(fits) // len(protocol.folds)
    shape = (len(fits), len(fits[0]), tested.shape[1], len(protocol.labels))
    logits = np.full(shape, np.nan, np.float32)
    for group, arms in enumerate(fits):
        for arm, (name, epoch) in enumerate(arms):
            with np.load(folder / "fits" / f"{name}.npz") as file:
                logits[group, arm, tested[group // seeds]] = file["logits"][epoch]
    return logits
