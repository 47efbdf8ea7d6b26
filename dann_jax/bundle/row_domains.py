"""Whose statistics a bundle uses for each row that it predicts."""

import logging
from collections.abc import Sequence

import numpy as np

from dann_jax.bundle.description import Description
from dann_jax.bundle.priors import statistics_of
from dann_jax.data.corpus import Corpus
from dann_jax.tasks.domains import value_ids
from dann_jax.types import UNKNOWN
from dann_jax.utils.once import warn_once

_log = logging.getLogger(__name__)


def norm_domain_of(description: Description, corpus: Corpus) -> np.ndarray | None:
    """The domains that the network normalises by, int32 `[N]`; None without names."""
    normalisation = description.encoder.get("normalisation", {})
    values = corpus.columns.get(normalisation.get("column", ""))
    return None if values is None else value_ids(values, normalisation["groups"])


def warn_of_unknown_norm_domains(description: Description, corpus: Corpus) -> None:
    """Say how many rows are of no domain that the network normalises by."""
    norm_domain = norm_domain_of(description, corpus)
    normalisation = description.encoder.get("normalisation", {})
    unknown = (
        len(corpus) if norm_domain is None else int((norm_domain == UNKNOWN).sum())
    )
    if normalisation.get("column") and unknown:
        _log.warning(
            "%d of %d utterances are of no known %s (%s), by which the model "
            "normalises: they are normalised by the statistics of all together",
            *(
                unknown,
                len(corpus),
                normalisation["column"],
                ", ".join(normalisation["groups"]),
            ),
        )


def warn_of_nobody_enrolled(description: Description) -> None:
    """Say what stands in for the statistics of people; once in a process."""
    column = statistics_of(description).column
    warn_once(
        f"warning: this model standardises each {column} by their own recordings, and "
        f"nobody is enrolled: the training speakers' statistics stand in"
        f"{_what_it_costs(description)} (dann-predict --speakers=folder or "
        f"--enrol=CLIPS, or Bundle.enrol)"
    )


def _what_it_costs(description: Description) -> str:
    """UA with and without enrolling people, where both were measured."""
    unenrolled = description.measured.get("unenrolled")
    if not unenrolled:
        return ""
    without, enrolled = (
        100.0 * scores["ua"]["pooled"]
        for scores in (unenrolled, description.measured["scores"])
    )
    return (
        f", which on tested people had a UA of {without:.1f} % where their own "
        f"recordings have {enrolled:.1f} %"
    )


def people_of(
    description: Description, people: Sequence[str], corpus: Corpus
) -> np.ndarray | None:
    """Which of the people each row is of, int32 `[N]`; None where there is one."""
    if not people:
        return None
    column = statistics_of(description).column
    ids = value_ids(corpus.columns.get(column, np.full(len(corpus), "")), people)
    if (ids == UNKNOWN).any():
        warn_once(
            "warning: some utterances are of nobody who is enrolled: the training "
            "speakers' statistics standardise them"
        )
    return np.where(ids == UNKNOWN, len(people), ids).astype(np.int32)
