"""A trained ensemble: features or a waveform in, probabilities or values out."""

import dataclasses
import functools
import logging
from collections.abc import Callable

import jax
import numpy as np
from etils import epath
from flax import linen as nn

from dann_jax.bundle.audio_features import corpus_of, features_of, rates_of
from dann_jax.bundle.batching import plan_of
from dann_jax.bundle.description import BundleError, Description
from dann_jax.bundle.provenance import extractors_of, require_features
from dann_jax.bundle.rejection import rejected, require_rejection
from dann_jax.data.corpus import Corpus, check
from dann_jax.data.features.audio import resample
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.features.given_sound import as_mono, checked_rate
from dann_jax.evaluation.scorers.table import ANSWERS, Prediction, Rating, Scorer
from dann_jax.models import network
from dann_jax.models.network import as_apply
from dann_jax.tasks.batches import Assembler
from dann_jax.tasks.domains import value_ids
from dann_jax.tasks.standardise import Standardiser
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.mapping import map_replicas
from dann_jax.training.replicas import Layout, make_mesh
from dann_jax.training.run import predict_rows
from dann_jax.training.step import make_evaluation_step
from dann_jax.types import UNKNOWN, PyTree

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class Bundle:
    """`M` trained members that predict together, by their mean answer.

    The members of a run's bundle are the models of its folds. Together they may have
    learned from everybody in the corpus, so no score of a fold is one of the ensemble.

    Attributes:
      description: what was trained, on what, and what it hears.
      params: parameter tree without the domain heads, float32 `[M, ...]`.
      standardiser: modality -> mean and scale of each member, float32 `[M, dim]`.
      encoder: folder of the pretrained encoder; None to look where its name leads.
    """

    description: Description
    params: PyTree
    standardiser: Standardiser
    encoder: epath.PathLike | None = None

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
        """The columns that a table of its predictions has."""
        return self.scorer.columns(self.labels)

    def member(self, place: int) -> "Bundle":
        """One member by itself: the model of `description.members[place]`."""
        only = slice(place, place + 1)
        members = self.description.members[only]
        description = dataclasses.replace(self.description, members=members)
        arrays = self.params, self.standardiser
        arrays = jax.tree.map(lambda leaf: leaf[only], arrays)
        return Bundle(description, *arrays, self.encoder)

    def predict_corpus(
        self, corpus: Corpus, *, batch_size: int = 16, finite: bool = True
    ) -> np.ndarray:
        """What every utterance sounds like, heard within its whole dialogue.

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
            found = self.scorer.activation(scaled).mean(0)
        bad = np.flatnonzero(~np.isfinite(found).all(1))
        if finite and bad.size:
            raise BundleError(
                f"the model's answers for {bad.size} of {len(found)} utterances, such "
                f"as row {bad[0]}, are not finite numbers: its parameters are damaged, "
                "or the features far from those it learned from"
            )
        return found

    def embed_corpus(self, corpus: Corpus, *, batch_size: int = 16) -> np.ndarray:
        """Features of every utterance, heard within its whole dialogue.

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
                "this model was trained to verify unheard speakers: it names no class. "
                "Compare recordings by the cosine of Bundle.embed_corpus"
            )

    def _outputs(self, corpus: Corpus, output: str, batch_size: int) -> np.ndarray:
        """A field of `Outputs` of all members, float32 `[M, N, dim]`."""
        require_features(self.description, corpus)
        corpus = check(corpus.select(tuple(self.description.modalities)))
        self._warn_of_unknown_groups(corpus)
        members, limit = self.description.members, self.description.max_frames
        plan, shapes = plan_of(corpus, len(members), batch_size, limit)
        assembler = dataclasses.replace(self.assembler(corpus), shapes=shapes)
        loader = BatchLoader(assembler, plan, self._layout, shuffle=False, most_bytes=0)
        rows = np.arange(len(corpus))
        found = predict_rows(
            self._evaluate, self._replicas, loader, rows=rows, outputs=(output,)
        )
        return getattr(found, output)[:, 0]

    def predict(
        self, waveform: np.ndarray, sample_rate: int, *, reject: float = 0.0
    ) -> Prediction | Rating:
        """What one utterance sounds like, heard by itself.

        Args:
          waveform: `[n]`, or `[n, channels]`, which are averaged: float in [-1, 1], or
            integers, which are scaled by the range of their type.
          sample_rate: in Hz; any, it is resampled to what the features need.
          reject: the label is `unknown` where no probability is so high, in [0, 1].

        Raises:
          BundleError: the features cannot be made from audio, or not as they were.
          AudioError: the waveform is not one, or shorter than a frame.
        """
        require_rejection(self.description, reject)
        waveform, sample_rate = as_mono(waveform), checked_rate(sample_rate)
        extractors = self.extractors()
        samples = {
            rate: resample(waveform, sample_rate, rate) for rate in rates_of(extractors)
        }
        limit = self.description.max_frames
        features = features_of(extractors, samples, max_frames=limit)
        row = self.predict_corpus(corpus_of(extractors, [features]))[0]
        return rejected(self.named(row), reject)

    def named(self, row: np.ndarray) -> Prediction | Rating:
        """A row of `predict_corpus` in words."""
        return self.scorer.to_prediction(self.labels, row)

    def extractors(self) -> dict[str, Extractor]:
        """Modality -> what makes its features from audio, just as they were made.

        Raises:
          BundleError: a modality is not made from audio, nobody knows how it was made,
            or this version of the package makes it otherwise.
        """
        if self.description.standardised_by:
            raise BundleError(
                f"this model takes features standardised by "
                f"{self.description.standardised_by!r} over a whole corpus, and a "
                f"recording is none; prepare a corpus and use Bundle.predict_corpus"
            )
        return extractors_of(self.description.modalities, self.encoder)

    def assembler(self, corpus: Corpus) -> Assembler:
        """Batches as each member hears them: whole dialogues, no labels."""
        rows = (len(self.description.members), len(corpus))
        return Assembler(
            corpus,
            visible=np.ones(rows, bool),
            label=np.full(rows, UNKNOWN, np.int32),
            domain={},
            standardiser=self.standardiser,
            group=self._group(corpus),
        )

    def _group(self, corpus: Corpus) -> np.ndarray | None:
        """The domains that the network normalises by, where the corpus names them."""
        own = self.description.encoder.get("normalisation", {})
        values = corpus.columns.get(own.get("column", ""))
        return None if values is None else value_ids(values, own["groups"])

    def _warn_of_unknown_groups(self, corpus: Corpus) -> None:
        group = self._group(corpus)
        own = self.description.encoder.get("normalisation", {})
        unknown = len(corpus) if group is None else int((group == UNKNOWN).sum())
        if own.get("column") and unknown:
            _log.warning(
                "%d of %d utterances are of no known %s (%s), by which the model "
                "normalises: they are normalised by the statistics of all together",
                *(unknown, len(corpus), own["column"], ", ".join(own["groups"])),
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
    def _layout(self) -> Layout:
        folds = [str(member["fold"]) for member in self.description.members]
        mesh = make_mesh(min(len(folds), jax.device_count()))
        return Layout(folds, (0,), {"kept": {}}, mesh)

    @functools.cached_property
    def _replicas(self) -> PyTree:
        """The members as groups of one arm, on the devices."""
        groups = self._layout.fold_of
        return self._layout.put(
            jax.tree.map(lambda leaf: leaf[groups][:, None], self.params)
        )

    @functools.cached_property
    def _evaluate(self) -> Callable:
        # Kept, so that a batch shape compiles once for all calls.
        step = make_evaluation_step(apply=as_apply(self.network))
        return map_replicas(step, self._layout.mesh, shared=(1,))
