"""skada's methods on our folds: what is trained, in which order, and what it predicts.

Settings are chosen as `configs/recommended.py` does it: in each fold by training
speakers held out, whose rows are a target without labels as those of a tested speaker
are. First the learning
rate and the epochs of source-only, then at that rate the weight and the epochs of every
other method.
"""

import functools
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.peers.grid import METHODS, STRENGTHS, Candidate, candidates, defaults
from benchmarks.peers.scores import choice_of
from benchmarks.peers.study import Study, are_made, fitter, logits_of

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
          methods: which are tuned; all of them are trained by default.
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
        outer(list(self._outer_fits(*self._defaults().values())))
        # By source-only the learning rate of the others is chosen.
        for method in dict.fromkeys((METHODS[0], *methods)) if methods else ():
            inner(list(self._inner_fits(method)))
            outer(list(self._outer_fits(self._chosen(method))))

    def arms(self) -> dict[str, Arm]:
        """Name of an arm -> its settings; of what is chosen, if the fits are there."""
        found = self._defaults()
        for method in METHODS:
            try:
                found[f"skada {method}, tuned"] = self._chosen(method)
            except FileNotFoundError:
                continue
        return found

    def logits(self, arm: Arm) -> np.ndarray | None:
        """Of the tested rows, `[folds, seeds, rows, classes]`.

        Of as many seeds as there are; None where there is none of all folds.
        """
        folder, protocol = self.folder / "outer", self.study.outer.protocol
        names = [
            [
                each.fit(fold, seed, [each.epochs])["name"]
                for fold, each in enumerate(arm)
            ]
            for seed in range(self.study.outer.seeds)
        ]
        made = list(itertools.takewhile(functools.partial(are_made, folder), names))
        if not made:
            return None
        fits = [[(name, 0)] for fold in zip(*made, strict=True) for name in fold]
        logits = logits_of(folder, protocol, fits)
        return logits.reshape(len(arm), len(made), *logits.shape[2:])

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

    def _outer_fits(self, *arms: Arm) -> Iterator[dict[str, Any]]:
        """Seed after seed, so that what is stopped has all arms of the first ones."""
        for seed in range(self.study.outer.seeds):
            for arm in arms:
                for fold, candidate in enumerate(arm):
                    yield candidate.fit(fold, seed, [candidate.epochs])

    def _outer_of_inner(self) -> list[int]:
        assert self.study.inner.outer is not None
        return self.study.inner.outer.tolist()
