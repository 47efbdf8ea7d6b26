"""Enrol people: statistics of their own unlabelled clips standardise their features.

The bundle of a run that standardised by speaker keeps what its training speakers were
like (`priors`). From a person's clips come a mean and a scale, shrunk towards those by
n / (n + k), so that one clip is enough to begin with. Nothing is trained.
"""

import dataclasses

import numpy as np

from dann_jax.bundle.description import BundleError, Description
from dann_jax.bundle.priors import Priors, statistics_of
from dann_jax.data.corpus import Corpus
from dann_jax.tasks.moments import moments_of
from dann_jax.tasks.speaker_statistics import (
    Clips,
    Prior,
    Standardisation,
    clips_of,
    speaker_scale,
    with_labelled,
)
from dann_jax.tasks.standardise import Standardiser


def require_enrolment(description: Description) -> Standardisation:
    """How features are standardised by person.

    Raises:
      BundleError: they are not, so that clips of a person would change nothing, or the
        bundle is of an earlier version.
    """
    how = statistics_of(description)
    if how is not None:
        return how
    if description.standardised_by:
        raise BundleError(
            "this bundle is of an earlier version and does not keep what enrolling "
            "needs; dann-evaluate --workdir=RUN writes the bundle of its run again"
        )
    raise BundleError(
        "this model standardises everybody's features alike, so that clips of a person "
        "would change nothing: only a model trained with "
        "--config.data.standardise_by=speaker can enrol (without --enrol or --speakers "
        "it predicts as it is)"
    )


def enrolled_standardiser(
    description: Description, priors: Priors, corpus: Corpus
) -> tuple[Standardiser, tuple[str, ...]]:
    """Statistics of the people in a corpus.

    Args:
      description: of the bundle.
      priors: of the bundle.
      corpus: of clips; nobody's labels are looked at.

    Returns:
      Modality -> mean and scale, float32 `[M, P + 1, dim]`, the last for everybody
      else, and the names of the `P` people; or, where the corpus names nobody, `[M,
      dim]` of the one person whose clips they all are, and no names.
    """
    how = require_enrolment(description)
    column = corpus.columns.get(how.column, np.full(len(corpus), ""))
    people = tuple(np.unique(column[column != ""]).tolist())
    rows_of = [np.flatnonzero(column == name) for name in people or ("",)]
    # Training compared everybody's own; a new person's few clips are not enough.
    how = how._replace(kind="shrunk") if how.kind == "z" else how
    statistics = {}
    for name, members in priors.items():
        array, there = corpus.features[name], corpus.present[name]
        fit = moments_of(array)
        shown = [rows[there[rows]] for rows in rows_of]
        clips = [
            clips_of(how, array, fit, rows) if len(rows) else None for rows in shown
        ]
        found = [_of_member(prior, how, clips, bool(people)) for prior in members]
        statistics[name] = tuple(np.float32(part) for part in zip(*found, strict=True))
    return statistics, people


def _of_member(
    prior: Prior, how: Standardisation, clips: list[Clips | None], several: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and scale `[P + 1, dim]`, or `[dim]` of one person."""
    known = [*clips, None] if several else clips
    own = [with_labelled(prior, speaker_scale(prior, how, one)) for one in known]
    means, scales = map(np.array, zip(*own, strict=True))
    return (means, scales) if several else (means[0], scales[0])


def named(corpus: Corpus, description: Description, names: np.ndarray) -> Corpus:
    """The corpus with the people of its rows, strings `[N]`, where the model looks."""
    column = require_enrolment(description).column
    return dataclasses.replace(corpus, columns={**corpus.columns, column: names})
