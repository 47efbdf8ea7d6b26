"""What a run learns from: corpus, protocol and adversaries, ready to make batches."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.tasks.batches import Assembler, evaluation_assembler, training_assembler
from dann_jax.tasks.domain_standardiser import feature_domains, fit_by_domain
from dann_jax.tasks.domains import domain_ids, known_values, value_ids
from dann_jax.tasks.nuisance import with_directions
from dann_jax.tasks.plan import Plan, padded_shapes
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.speaker_statistics import Prior, Standardisation
from dann_jax.tasks.standardise import Units, fit_standardiser, fit_units
from dann_jax.utils.arguments import Count, CountOrNone, Range, call_checked


@dataclasses.dataclass(frozen=True)
class Task:
    """A corpus under a protocol, with adversaries, cut into batches.

    Attributes:
      corpus: all utterances.
      protocol: their roles and labels.
      num_domains: adversary -> how many domains it tells apart.
      training: the view of a training step.
      evaluation: the view of an evaluation.
      batch_size: dialogues in a batch.
      sizes: of every dialogue, as in `padded_shapes`.
      buckets: of these sizes.
      norm_domains: the values of the column that a normalisation goes by, in the
        order of `Batch.norm_domain`.
      adaptive: whether what is evaluated is normalised by its own statistics.
      units: what the rating columns are measured in; None where classes are told apart.
      standardisation: by which column the features are standardised, and how; None for
        all labelled rows together.
      priors: modality -> what each fold knows of a speaker before the first clip;
        empty without a `standardisation`.
      nuisance_directions: how many are removed from the features, as in `nuisance`.
    """

    corpus: Corpus
    protocol: Protocol
    num_domains: Mapping[str, int]
    training: Assembler
    evaluation: Assembler
    batch_size: int
    sizes: np.ndarray
    buckets: tuple[int, ...]
    norm_domains: tuple[str, ...] = ()
    adaptive: bool = False
    units: Units | None = None
    standardisation: Standardisation | None = None
    priors: Mapping[str, Sequence[Prior]] = dataclasses.field(default_factory=dict)
    nuisance_directions: int = 0

    @property
    def transductive(self) -> bool:
        """Whether the prediction for a tested row may depend on other tested rows."""
        return (
            self.protocol.transductive
            or self.adaptive
            or self.standardisation is not None
            or self.corpus.provenance.get("standardised_by") is not None
        )

    def plan(self, rows: np.ndarray) -> Plan:
        """Batches of the dialogues that hold any of `rows` (bool `[F, N]`)."""
        dialogues = self.corpus.dialogues()
        members = np.stack([rows[:, turns].any(1) for turns in dialogues], axis=1)
        return Plan(self.sizes, members, self.batch_size, self.buckets)

    def rows_with(self, role: Role) -> np.ndarray:
        """Corpus rows that have the role in any fold, int `[n]`."""
        return np.flatnonzero((self.protocol.roles == role).any(0))

    def statistics_rows(self, role: Role) -> np.ndarray:
        """Whose statistics normalise the rows of a role, bool `[F, N]`.

        The rows that training sees; but, if the task is adaptive, of each domain that
        has rows of the role these and no others.
        """
        visible, evaluated = self.protocol.visible(), self.protocol.roles == role
        if not self.adaptive:
            return visible
        norm_domain = self.evaluation.norm_domain
        replaced = np.stack(
            [np.isin(norm_domain, norm_domain[rows]) for rows in evaluated]
        )
        return evaluated | (visible & ~replaced)


def make_task(
    corpus: Corpus,
    protocol: Protocol,
    adversaries: Mapping[str, Mapping[str, str]],
    *,
    batch_size: Count,
    num_buckets: Annotated[int, Range(1), Range(high=100)],
    max_frames: CountOrNone = 0,
    normalise_by: str = "",
    adaptive: bool = False,
    standardisation: Standardisation | None = None,
    nuisance_directions: CountOrNone = 0,
) -> Task:
    """Prepare everything that batches are made from.

    Args:
      corpus: all utterances.
      protocol: their roles.
      adversaries: name -> arguments of `domain_ids`.
      batch_size: dialogues in a batch.
      num_buckets: at most so many padded shapes, each compiled once.
      max_frames: of an utterance; of a longer one the middle is kept. 0 for no limit.
      normalise_by: the column that a normalisation goes by, if any.
      adaptive: whether what is evaluated is normalised by its own statistics.
      standardisation: of the features by a column; None for none.
      nuisance_directions: to remove from the features, as in `nuisance`; 0 for none.

    Raises:
      ValueError: a batch would be padding for the most part, or directions are removed
        from features that are standardised by a column.
    """
    _require_batches(batch_size, corpus)
    domain, num_domains = {}, {}
    for name, arguments in adversaries.items():
        domain[name], num_domains[name] = call_checked(
            f"adversary {name!r}", domain_ids, protocol, corpus, **arguments
        )
    feature_domain, priors = None, {}
    if standardisation is None:
        standardiser = fit_standardiser(corpus, protocol)
    else:
        feature_domain = feature_domains(corpus, standardisation)
        standardiser, priors = fit_by_domain(corpus, protocol, standardisation)
    if nuisance_directions:
        if standardisation:
            raise ValueError(
                f"config.data.nuisance_directions is for features that are "
                f"standardised by all labelled rows, and they are by "
                f"{standardisation.column!r}: leave it at 0, or "
                f"config.data.standardise_by empty"
            )
        standardiser = with_directions(
            corpus, protocol, standardiser, nuisance_directions
        )
    sizes, shapes = padded_shapes(corpus, num_buckets, max_frames)
    norm_domains = known_values(corpus, normalise_by) if normalise_by else ()
    norm_domain = (
        value_ids(corpus.column(normalise_by), norm_domains) if normalise_by else None
    )
    units = fit_units(protocol) if protocol.targets else None
    view = (corpus, protocol, domain, standardiser, shapes, norm_domain)
    return Task(
        corpus=corpus,
        protocol=protocol,
        num_domains=num_domains,
        training=training_assembler(*view, units, feature_domain),
        evaluation=evaluation_assembler(*view, feature_domain),
        batch_size=batch_size,
        sizes=sizes,
        buckets=tuple(shapes),
        norm_domains=norm_domains,
        adaptive=adaptive,
        units=units,
        standardisation=standardisation,
        priors=priors,
        nuisance_directions=nuisance_directions,
    )


def _require_batches(batch_size: int, corpus: Corpus) -> None:
    """Refuse batches that would be padding for the most part."""
    dialogues = len(corpus.dialogues())
    if batch_size > max(dialogues, 1024):
        raise ValueError(
            f"config.batches.batch_size is {batch_size:,}, and corpus {corpus.name!r} "
            f"has {dialogues:,} dialogues (or utterances without one) in all; the rest "
            f"of each batch would be padding"
        )
