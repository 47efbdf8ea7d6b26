"""A trained ensemble: features or a waveform in, probabilities or values out."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Self

import jax
import numpy as np
from etils import epath
from flax import linen as nn

from dann_jax.bundle.description import BundleError, Description
from dann_jax.bundle.enrolment import enrolled_standardiser, require_enrolment
from dann_jax.bundle.ensemble import Ensemble, plan_of
from dann_jax.bundle.given_sounds import Sound, corpus_of_sounds
from dann_jax.bundle.priors import Priors
from dann_jax.bundle.provenance import extractors_of, require_features
from dann_jax.bundle.rejection import rejected, require_rejection
from dann_jax.bundle.row_domains import (
    norm_domain_of,
    people_of,
    warn_of_nobody_enrolled,
    warn_of_unknown_norm_domains,
)
from dann_jax.data.corpus import Corpus, check
from dann_jax.data.features.extractor import Extractor
from dann_jax.evaluation.scorers.table import ANSWERS, Prediction, Rating, Scorer
from dann_jax.models import network
from dann_jax.tasks.batches import Assembler
from dann_jax.tasks.standardise import Standardiser
from dann_jax.types import UNKNOWN, PyTree


@dataclasses.dataclass(frozen=True, eq=False)
class Bundle:
    """`M` trained members that predict together, by their mean answer.

    The members of a run's bundle are the models of its folds. Together they may have
    learned from everybody in the corpus, so no score of a fold is one of the ensemble.

    Attributes:
      description: what was trained, on what, and what it takes.
      params: parameter tree without the domain heads, float32 `[M, ...]`.
      standardiser: modality -> mean and scale of each member, float32 `[M, dim]`; of
        `P` people who are enrolled, and anybody else, `[M, P + 1, dim]`.
      encoder: folder of the pretrained encoder; None to look where its name leads.
      priors: modality -> what each member knows of a person before the first clip;
        empty where all are standardised alike.
      people: who is enrolled; none of one person, of whom all rows are; or None.
    """

    description: Description
    params: PyTree
    standardiser: Standardiser
    encoder: epath.PathLike | None = None
    priors: Priors = dataclasses.field(default_factory=dict)
    people: tuple[str, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, or the names of values, in the order of `predict_corpus`."""
        return self.description.labels

    @property
    def scorer(self) -> Scorer:
        """How the outputs of the network are read."""
        return ANSWERS[self.description.answer]

    @property
    def columns(self) -> list[str]:
        """The columns of a table of its predictions."""
        return self.scorer.columns(self.labels)

    def member(self, place: int) -> Self:
        """One member by itself: the model of `description.members[place]`."""
        only = slice(place, place + 1)
        members = self.description.members[only]
        return dataclasses.replace(
            self,
            description=dataclasses.replace(self.description, members=members),
            params=jax.tree.map(lambda leaf: leaf[only], self.params),
            standardiser=jax.tree.map(lambda leaf: leaf[only], self.standardiser),
            priors={name: priors[only] for name, priors in self.priors.items()},
        )

    def predict_corpus(
        self, corpus: Corpus, *, batch_size: int = 16, finite: bool = True
    ) -> np.ndarray:
        """Predict every utterance within its whole dialogue.

        Args:
          corpus: features made as those that the model learned from; its labels, if
            it has any, are not looked at.
          batch_size: dialogues at a time.
          finite: whether to refuse answers that are no finite numbers; if not, the
            caller does.

        Returns:
          float32 `[N, labels]`: probabilities, whose rows sum to 1; or values.

        Raises:
          BundleError: a modality is missing, or was made otherwise, or an answer is no
            finite number.
          CorpusError: the corpus is empty, or holds NaN.
        """
        self.require_answers()
        outputs = self._outputs(corpus, "label_logits", batch_size)
        # What overflowed is reported as what it is, not as a warning of NumPy.
        with np.errstate(all="ignore"):
            scaled = outputs / self.description.temperature
            values = self.scorer.activation(scaled).mean(0)
        bad = np.flatnonzero(~np.isfinite(values).all(1))
        if finite and bad.size:
            raise BundleError(
                f"the model's answers for {bad.size} of {len(values)} utterances, such "
                f"as row {bad[0]}, are not finite numbers: its parameters are damaged, "
                "or the features far from those it learned from"
            )
        return values

    def embed_corpus(self, corpus: Corpus, *, batch_size: int = 16) -> np.ndarray:
        """Features of every utterance within its whole dialogue.

        A run that verifies speakers compares two utterances by the cosine of these,
        each member's by themselves, less their mean over the training rows.

        Args:
          corpus: as for `predict_corpus`, which also says what is raised.
          batch_size: dialogues at a time.

        Returns:
          float32 `[N, M, width]`; members have nothing in common but the width.
        """
        return self._outputs(corpus, "features", batch_size).swapaxes(0, 1)

    def require_answers(self) -> None:
        """Raise `BundleError` if the model compares speakers and names no class."""
        if self.scorer.to_prediction is None:
            raise BundleError(
                "this model was trained to verify unseen speakers: it names no class. "
                "Compare recordings by the cosine of Bundle.embed_corpus"
            )

    def _outputs(self, corpus: Corpus, output: str, batch_size: int) -> np.ndarray:
        """A field of `Outputs` of all members, float32 `[M, N, dim]`."""
        require_features(self.description, corpus)
        corpus = check(corpus.select(tuple(self.description.modalities)))
        warn_of_unknown_norm_domains(self.description, corpus)
        if self.priors and self.people is None:
            warn_of_nobody_enrolled(self.description)
        members, limit = self.description.members, self.description.max_frames
        plan, shapes = plan_of(corpus, len(members), batch_size, limit)
        assembler = dataclasses.replace(self.assembler(corpus), shapes=shapes)
        return self._ensemble.outputs(assembler, plan, output)

    def predict(
        self, waveform: Sound, sample_rate: int | None = None, *, reject: float = 0.0
    ) -> Prediction | Rating:
        """Predict one utterance by itself.

        Args:
          waveform: `[n]`, or `[n, channels]`, which are averaged: float in [-1, 1], or
            integers, which are scaled by the range of their type; or a path.
          sample_rate: of an array, in Hz; any, it is resampled to what features need.
          reject: the label is `unknown` where no probability is so high, in [0, 1].

        Raises:
          BundleError: the features cannot be made from audio, or not as they were.
          AudioError: the waveform is not one, or shorter than a frame.
        """
        require_rejection(self.description, reject)
        (row,) = self.predict_corpus(self._corpus_of([waveform], sample_rate))
        return rejected(self.named(row), reject)

    def enrol(self, waveforms: Sequence[Sound], sample_rate: int | None = None) -> Self:
        """The same model for the one person whose unlabelled clips these are.

        Args:
          waveforms: one or more, each as for `predict`; silent ones are passed over.
          sample_rate: of all arrays, in Hz.

        Raises:
          BundleError: the model standardises everybody's features alike.
          AudioError: as `predict`, or no clip has sound.
        """
        require_enrolment(self.description)
        clips = self._corpus_of(waveforms, sample_rate, only_with_sound=True)
        return self.enrol_corpus(clips)

    def enrol_corpus(self, corpus: Corpus) -> Self:
        """The same model for the people of a corpus, each by all of their rows in it.

        Args:
          corpus: as for `predict_corpus`. The column that the model standardises by,
            such as `speaker`, names the people; where it is empty or missing, all rows
            are of one.

        Raises:
          BundleError: as `enrol`, or as `predict_corpus`.
        """
        require_enrolment(self.description)
        require_features(self.description, corpus)
        corpus = check(corpus.select(tuple(self.description.modalities)))
        fitted, people = enrolled_standardiser(self.description, self.priors, corpus)
        bundle = dataclasses.replace(self, standardiser=fitted, people=people)
        # What is compiled serves everybody.
        bundle.__dict__["_ensemble"] = self._ensemble
        return bundle

    def _corpus_of(self, *sounds: Any, **options: bool) -> Corpus:
        extractors, limit = self.extractors(), self.description.max_frames
        return corpus_of_sounds(extractors, *sounds, max_frames=limit, **options)

    def named(self, row: np.ndarray) -> Prediction | Rating:
        """A row of `predict_corpus` in words."""
        return self.scorer.to_prediction(self.labels, row)

    def extractors(self) -> dict[str, Extractor]:
        """Modality -> what makes its features from audio, just as they were made.

        Raises:
          BundleError: a modality is not made from audio, or not as it was made then.
        """
        if standardised_by := self.description.standardised_by:
            raise BundleError(
                f"this model takes features standardised by {standardised_by!r} over a "
                "whole corpus, and a recording is none; prepare a corpus and use "
                "Bundle.predict_corpus"
            )
        return extractors_of(self.description.modalities, self.encoder)

    def assembler(self, corpus: Corpus) -> Assembler:
        """Batches as each member is given them: whole dialogues, no labels."""
        rows = (len(self.description.members), len(corpus))
        return Assembler(
            corpus,
            visible=np.ones(rows, bool),
            label=np.full(rows, UNKNOWN, np.int32),
            domain={},
            standardiser=self.standardiser,
            norm_domain=norm_domain_of(self.description, corpus),
            feature_domain=people_of(self.description, self.people or (), corpus),
        )

    @functools.cached_property
    def network(self) -> nn.Module:
        """The network of one member; it has no domain heads."""
        return network.build(
            encoder=self.description.encoder,
            heads=self.description.heads,
            num_labels=len(self.labels),
            num_domains={},
        )

    @functools.cached_property
    def _ensemble(self) -> Ensemble:
        names = [str(member["fold"]) for member in self.description.members]
        return Ensemble(self.network, self.params, names)
