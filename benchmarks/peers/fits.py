"""skada's methods on our folds: what is trained, in which order, and what it predicts.

Settings are chosen as `configs/recommended.py` does it: in each fold by training
speakers held out, whose rows are a target without labels as those of a tested speaker
are. First the learning
rate and the epochs of source-only, then at that rate the weight and the epochs of every
other method.
"""

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.peers.grid import METHODS, STRENGTHS, Candidate, candidates, defaults
from benchmarks.peers.scores import choice_of
from benchmarks.peers.study import Study, fitter, logits_of

Arm = Sequence[Candidate]
"""A method with its settings in each fold."""


class Peers(NamedTuple):
    """skada on one corpus.

    Attributes:
      study: its folds.
      folder: of the fits.
      epochs: of which one is chosen; the last is the default.
    """

    study: Study
    folder: pathlib.Path
    epochs: tuple[int, ...]

    def train(self, python: str, methods: Sequence[str] = METHODS) -> None:
        """Make the fits that are not there.

        Args:
          python: one that has skada.
          methods: which are tuned; all of them have their defaults.
        """
        study, options = self.study, self.study.options
        inner = fitter(study.inner, options, self.folder / "inner", python)
        outer = fitter(study.outer, options, self.folder / "outer", python)
        folds, inside = len(study.outer.protocol.folds), len(study.inner.protocol.folds)
        print(
            f"skada: {len(self._defaults()) * folds * study.outer.seeds} fits by "
            f"default; to tune a method up to {inside * len(STRENGTHS)} fits on inner "
            f"folds and {folds * study.outer.seeds} more",
            flush=True,
        )
        outer([fit for arm in self._defaults().values() for fit in self._fits(arm)])
        for method in dict.fromkeys((METHODS[0], *methods)):
            inner(list(self._inner_fits(method)))
            outer(list(self._fits(self._chosen(method))))

    def arms(self) -> dict[str, Arm]:
        """Name of an arm -> its settings; of what is chosen, if the fits are there."""
        found = self._defaults()
        for method in METHODS:
            try:
                found[f"skada {method}, tuned"] = self._chosen(method)
            except FileNotFoundError:
                continue
        return found

    def logits(self, arm: Arm) -> np.ndarray:
        """Of the tested rows, `[groups, rows, classes]`.

        Raises:
          FileNotFoundError: a fit is not there.
        """
        names = [[(fit["name"], 0)] for fit in self._fits(arm)]
        protocol = self.study.outer.protocol
        return logits_of(self.folder / "outer", protocol, names)[:, 0]

    def _defaults(self) -> dict[str, Arm]:
        folds = len(self.study.outer.protocol.folds)
        arms = defaults(self.epochs[-1]).items()
        return {name: [candidate] * folds for name, candidate in arms}

    def _chosen(self, method: str) -> list[Candidate]:
        """The settings of a method in each fold."""
        fits, per_fold = [], self._candidates(method)
        for fold, outer in enumerate(self._outer_of_inner()):
            fits.append(
                [
                    (each.fit(fold, 0, self.epochs)["name"], index % len(self.epochs))
                    for index, each in enumerate(per_fold[outer])
                ]
            )
        inner = self.study.inner
        logits = logits_of(self.folder / "inner", inner.protocol, fits)
        choice = choice_of(inner, logits)
        return [each[index] for each, index in zip(per_fold, choice, strict=True)]

    def _candidates(self, method: str) -> list[list[Candidate]]:
        """In each fold what is chosen from; epochs change first."""
        folds = len(self.study.outer.protocol.folds)
        if method == METHODS[0]:
            return [candidates(method, None, self.epochs)] * folds
        rates = [candidate.lr for candidate in self._chosen(METHODS[0])]
        return [candidates(method, rate, self.epochs) for rate in rates]

    def _inner_fits(self, method: str) -> Iterator[dict[str, Any]]:
        per_fold = self._candidates(method)
        for fold, outer in enumerate(self._outer_of_inner()):
            for candidate in per_fold[outer][:: len(self.epochs)]:
                yield candidate.fit(fold, 0, self.epochs)

    def _fits(self, arm: Arm) -> Iterator[dict[str, Any]]:
        for fold, candidate in enumerate(arm):
            for seed in range(self.study.outer.seeds):
                yield candidate.fit(fold, seed, [candidate.epochs])

    def _outer_of_inner(self) -> list[int]:
        assert self.study.inner.outer is not None
        return self.study.inner.outer.tolist()
