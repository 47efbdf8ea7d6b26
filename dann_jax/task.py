"""What a run learns from: corpus, protocol and adversaries, ready to make batches."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from dann_jax.corpora.corpus import Corpus
from dann_jax.domains import domain_ids
from dann_jax.pipeline import (
    Assembler,
    Plan,
    evaluation_assembler,
    length_buckets,
    training_assembler,
)
from dann_jax.protocols import Protocol, Role
from dann_jax.standardise import fit_standardiser


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
      buckets: padded lengths.
    """

    corpus: Corpus
    protocol: Protocol
    num_domains: Mapping[str, int]
    training: Assembler
    evaluation: Assembler
    batch_size: int
    buckets: tuple[int, ...]

    def plan(self, rows: np.ndarray) -> Plan:
        """Batches of the dialogues that hold any of `rows` (bool `[F, N]`)."""
        dialogues = self.corpus.dialogues()
        members = np.stack([rows[:, turns].any(1) for turns in dialogues], axis=1)
        lengths = np.array([len(turns) for turns in dialogues])
        return Plan(lengths, members, self.batch_size, self.buckets)

    def rows_with(self, role: Role) -> np.ndarray:
        """Corpus rows that have the role in any fold, int `[n]`."""
        return np.flatnonzero((self.protocol.roles == role).any(0))


def make_task(
    corpus: Corpus,
    protocol: Protocol,
    adversaries: Mapping[str, Mapping[str, str]],
    *,
    batch_size: int,
    num_buckets: int,
) -> Task:
    """Prepare everything that batches are made from.

    Args:
      corpus: all utterances.
      protocol: their roles.
      adversaries: name -> arguments of `domain_ids`.
      batch_size: dialogues in a batch.
      num_buckets: at most so many padded lengths, each compiled once.
    """
    domain, num_domains = {}, {}
    for name, arguments in adversaries.items():
        domain[name], num_domains[name] = domain_ids(protocol, corpus, **arguments)
    standardiser = fit_standardiser(corpus, protocol)
    lengths = np.array([len(turns) for turns in corpus.dialogues()])
    return Task(
        corpus=corpus,
        protocol=protocol,
        num_domains=num_domains,
        training=training_assembler(corpus, protocol, domain, standardiser),
        evaluation=evaluation_assembler(corpus, protocol, domain, standardiser),
        batch_size=batch_size,
        buckets=length_buckets(lengths, num_buckets),
    )
