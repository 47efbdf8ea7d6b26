"""Can features tell that the clips under one name are of two people?

    python -m benchmarks.studies.two_voices DATA/ravdess DATA/emodb DATA/emovo DATA/urdu

Of prepared stores with one modality. Clips disagree as much as the mean log-likelihood
ratio of all their pairs, two speakers against one, by a PLDA of a store's speakers. The
threshold is what 5 % of single speakers exceed who are left out of that PLDA. It is
asked of tested speakers, each alone and mixed half and half with every other: of
speakers left out of the same store, and of all those of another store.
"""

import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from dann_jax.data.open import open_corpus
from dann_jax.evaluation.plda import Plda, fit_plda, plda_scores

CLIPS = 10
WIDTH = 50
FALSE_ALARMS = 0.05
REPEATS = 5
PARTS = 5


class Voices(NamedTuple):
    """Vectors `[n, dim]`, and of each the speaker and their gender, strings `[n]`."""

    vectors: np.ndarray
    speaker: np.ndarray
    gender: np.ndarray

    def of(self, people: Sequence[str], *, without: bool = False) -> "Voices":
        """The rows of these people, or of all others."""
        chosen = np.isin(self.speaker, people) != without
        return Voices(*(part[chosen] for part in self))


class Judge(NamedTuple):
    """What scores clips: a PLDA of vectors that are made smaller first."""

    smaller: Pipeline
    plda: Plda

    def disagreement(self, vectors: np.ndarray) -> float:
        """Mean log-likelihood ratio over pairs of clips `[n, dim]`, in nats."""
        small = self.smaller.transform(vectors)
        first, second = np.triu_indices(len(small), 1)
        return -float(plda_scores(self.plda, small[first], small[second]).mean())


def read(source: str) -> Voices:
    """The speakers of a store who have enough clips."""
    corpus = open_corpus(source)
    (vectors,) = corpus.features.values()
    names, counts = np.unique(corpus.column("speaker"), return_counts=True)
    known = names[(names != "") & (counts >= CLIPS)]
    gender = corpus.columns.get("gender", np.full(len(corpus), ""))
    return Voices(vectors, corpus.column("speaker"), gender).of(known)


def fit(voices: Voices) -> Judge:
    """The judge who knows these speakers."""
    rows, dim = voices.vectors.shape
    width = min(WIDTH, rows // 4, dim)
    smaller = make_pipeline(StandardScaler(), PCA(width), StandardScaler())
    small = smaller.fit_transform(voices.vectors)
    return Judge(smaller, fit_plda(small, voices.speaker, iterations=10))


def scores(judge: Judge, voices: Voices) -> dict[str, list[float]]:
    """Disagreement of `one` speaker, and of two of the `same` or `other` gender."""
    rng = np.random.default_rng(0)
    rows = {n: np.flatnonzero(voices.speaker == n) for n in np.unique(voices.speaker)}
    found: dict[str, list[float]] = {"one": [], "same": [], "other": []}

    def draw(kind: str, *parts: tuple[np.ndarray, int]) -> None:
        for _ in range(REPEATS):
            chosen = [rng.permutation(own)[:count] for own, count in parts]
            clips = voices.vectors[np.concatenate(chosen)]
            found[kind].append(judge.disagreement(clips))

    for own in rows.values():
        draw("one", (own, CLIPS))
    for first, second in itertools.combinations(rows.values(), 2):
        alike = voices.gender[first[0]] == voices.gender[second[0]]
        half = CLIPS // 2
        draw("same" if alike else "other", (first, half), (second, CLIPS - half))
    return found


def parts_of(voices: Voices) -> Iterator[np.ndarray]:
    """People to leave out, at least two at a time."""
    people = np.random.default_rng(1).permutation(np.unique(voices.speaker))
    yield from np.array_split(people, min(PARTS, len(people) // 2))


def threshold(voices: Voices) -> float:
    """What a share of `FALSE_ALARMS` of left-out single speakers exceed."""
    alone: list[float] = []
    for people in parts_of(voices):
        judge = fit(voices.of(people, without=True))
        alone += scores(judge, voices.of(people))["one"]
    return float(np.quantile(alone, 1.0 - FALSE_ALARMS))


def shares(known: Voices, asked: Voices) -> dict[str, list[bool]]:
    """Of those asked about, who exceeds the threshold of those who are known."""
    limit = threshold(known)
    found = scores(fit(known), asked)
    return {kind: [one > limit for one in values] for kind, values in found.items()}


def within(voices: Voices) -> dict[str, list[bool]]:
    """`shares` of all speakers, each left out in turn with some others."""
    found: dict[str, list[bool]] = {}
    for people in parts_of(voices):
        part = shares(voices.of(people, without=True), voices.of(people))
        for kind, values in part.items():
            found.setdefault(kind, []).extend(values)
    return found


def main(sources: Sequence[str]) -> None:
    """Print the table."""
    stores = {
        source.rstrip("/").rpartition("/")[-1]: read(source) for source in sources
    }
    print("| fitted on | asked about | one speaker | two, same gender | two, other |")
    print("|---|---|---|---|---|")
    for known, asked in itertools.product(stores, stores):
        same = known == asked
        found = within(stores[known]) if same else shares(stores[known], stores[asked])
        cells = [f"{100 * np.mean(v):.0f} %" if v else "" for v in found.values()]
        whom = "others of it" if same else asked
        print(f"| {known} | {whom} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
