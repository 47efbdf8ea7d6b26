"""Statistics of each domain, such as each speaker, in each fold."""

import logging
from collections.abc import Sequence

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.tasks.domains import known_values, value_ids
from dann_jax.tasks.moments import Fit, moments_of
from dann_jax.tasks.roles import Protocol
from dann_jax.tasks.speaker_statistics import (
    Clips,
    Prior,
    Standardisation,
    clips_of,
    fit_after,
    fit_prior,
    speaker_scale,
    with_labelled,
)
from dann_jax.tasks.splits import ProtocolError
from dann_jax.tasks.standardise import Standardiser, labelled_rows
from dann_jax.types import UNKNOWN
from dann_jax.utils.resources import available_memory, size

_log = logging.getLogger(__name__)


def fit_by_domain(
    corpus: Corpus, protocol: Protocol, how: Standardisation
) -> tuple[Standardiser, dict[str, tuple[Prior, ...]]]:
    """Statistics of every domain of a column, such as each speaker, in each fold.

    A domain's own are of all of its rows, whatever their role, without their labels:
    what comes of it is transductive. All else is of the fold's labelled rows.

    Args:
      corpus: features, and the column.
      protocol: the roles.
      how: the column and the kind.

    Returns:
      Modality -> mean and scale, float32 `[F, D + 1, dim]` of the `D` values of
      `known_values`, the last for rows of no domain; and modality -> the prior of each
      fold, from which another person is enrolled.

    Raises:
      ProtocolError: `label_aware` where there are no classes, a fold has no labelled
        row of a modality, or the statistics do not fit into the memory.
    """
    ids = feature_domains(corpus, how)
    domains = len(known_values(corpus, how.column))
    _require_possible(corpus, protocol, how, domains)
    if unknown := int((ids == domains).sum()):
        _log.warning(
            "%d of %d rows have no %s: the statistics of the training rows standardise "
            "them",
            *(unknown, len(ids), how.column),
        )
    rows_of = [np.flatnonzero(ids == domain) for domain in range(domains + 1)]
    standardiser, priors = {}, {}
    for name, array in corpus.features.items():
        fit, there = moments_of(array), corpus.present[name]
        shown = [rows[there[rows]] for rows in rows_of]
        own = [clips_of(how, array, fit, rows) if len(rows) else None for rows in shown]
        folds = [
            _one_fold(how, array, fit, shown, own, labelled, protocol)
            for labelled in labelled_rows(corpus, protocol, name)
        ]
        means, scales, priors[name] = zip(*folds, strict=True)
        standardiser[name] = (np.float32(means), np.float32(scales))
    return standardiser, priors


def feature_domains(corpus: Corpus, how: Standardisation) -> np.ndarray:
    """Which statistics standardise each row, int32 `[N]`: its value's, or the last.

    Rows whose value is not known have the number of values.
    """
    names = known_values(corpus, how.column)
    ids = value_ids(corpus.column(how.column), names)
    return np.where(ids == UNKNOWN, len(names), ids).astype(np.int32)


def _one_fold(
    how: Standardisation,
    array: np.ndarray | Frames,
    fit: Fit,
    rows_of: Sequence[np.ndarray],
    own: Sequence[Clips | None],
    labelled: np.ndarray,
    protocol: Protocol,
) -> tuple[np.ndarray, np.ndarray, Prior]:
    """Means and scales `[D + 1, dim]` of one fold, and its prior."""
    parts, labels = {}, {}
    for domain, rows in enumerate(rows_of):
        used = rows[labelled[rows]]
        if len(used):
            whole = len(used) == len(rows)
            parts[domain] = own[domain] if whole else clips_of(how, array, fit, used)
            labels[domain] = protocol.label[used]
    prior = fit_prior(how, parts, labels, len(protocol.labels))
    # The last are of no domain: nothing of their own is known.
    statistics = [speaker_scale(prior, how, clips) for clips in (*own[:-1], None)]
    prior = fit_after(
        prior, [(clips.moments, statistics[d]) for d, clips in parts.items()]
    )
    means, scales = zip(*(with_labelled(prior, s) for s in statistics), strict=True)
    return np.array(means), np.array(scales), prior


def _require_possible(
    corpus: Corpus, protocol: Protocol, how: Standardisation, domains: int
) -> None:
    if how.kind == "label_aware" and protocol.kind != "classification":
        raise ProtocolError(
            "config.data.standardise_kind='label_aware' needs classes that labelled "
            "and tested rows share; 'shrunk' or 'z' look at no label"
        )
    values = sum(array.shape[-1] for array in corpus.features.values())
    needed = 2 * 4 * len(protocol.folds) * (domains + 1) * values
    if needed > available_memory():
        raise ProtocolError(
            f"statistics of {domains:,} values of {how.column!r} in "
            f"{len(protocol.folds):,} folds need {size(needed)}, and "
            f"{size(available_memory())} of memory are free: fewer folds "
            f"(config.protocol.split='group_k_fold') need less"
        )
