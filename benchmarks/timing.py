"""Clocks: rounds of contestants in turn, and what their ratios say."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.contestants import Contestant
from dann_jax.training.compilation import measure_compilations


@dataclasses.dataclass(frozen=True)
class Timed:
    """What the rounds of one contestant took.

    Attributes:
      name: of the contestant.
      seconds: of a model's step, for each round.
      cpu: the same in seconds of all cores together, which depends less on what else
        the machine does.
      utterances_per_s: median over the rounds.
      compilations: programs compiled before the clock started.
      compile_s: seconds that took.
      late_compilations: programs compiled while it ran; any is a fault.
    """

    name: str
    seconds: list[float]
    cpu: list[float]
    utterances_per_s: float
    compilations: int
    compile_s: float
    late_compilations: int


def interleave(contestants: Sequence[Contestant], rounds: int) -> list[Timed]:
    """Time the contestants in turn, `rounds` times over, after a round for warmth.

    Every other round goes through them backwards, so that none always follows the
    same one.
    """
    warm = []
    for contestant in contestants:
        with measure_compilations() as compilations:
            contestant.run()
        warm.append(compilations)
    late = [0] * len(contestants)
    seconds: list[list[float]] = [[] for _ in contestants]
    cpu: list[list[float]] = [[] for _ in contestants]
    for number in range(rounds):
        order = range(len(contestants))
        for index in reversed(order) if number % 2 else order:
            with measure_compilations() as compilations:
                began = time.process_time()
                seconds[index].append(measured(contestants[index].run))
                cpu[index].append(time.process_time() - began)
            late[index] += compilations.count
    return [
        Timed(
            name=contestant.name,
            seconds=[total / contestant.model_steps for total in totals],
            cpu=[total / contestant.model_steps for total in of_cores],
            utterances_per_s=contestant.utterances / float(np.median(totals)),
            compilations=before.count,
            compile_s=before.seconds,
            late_compilations=after,
        )
        for contestant, totals, of_cores, before, after in zip(
            contestants, seconds, cpu, warm, late, strict=True
        )
    ]


def measured(run: Callable[[], Any]) -> float:
    """Seconds that `run` takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """How many times as fast ours is: median and range over paired rounds.

    Example:
      >>> ratio([1.0, 2.0, 1.0], [3.0, 4.0, 4.0])
      {'median': 3.0, 'min': 2.0, 'max': 4.0}
    """
    paired = np.asarray(theirs) / np.asarray(ours)
    return {
        "median": float(np.median(paired)),
        "min": float(paired.min()),
        "max": float(paired.max()),
    }


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; floats with three digits or more.

    Example:
      >>> print(table(["what", "s"], [["step", 0.12345]]))
      | what | s |
      |---|---|
      | step | 0.123 |
    """

    def text(cell: object) -> str:
        if not isinstance(cell, float):
            return str(cell)
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:#.3g}".rstrip(".")

    lines = [header, *([text(cell) for cell in row] for row in rows)]
    printed = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([printed[0], f"|{'---|' * len(header)}", *printed[1:]])
