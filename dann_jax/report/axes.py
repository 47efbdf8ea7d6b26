"""The two axes of a chart of curves."""

from collections.abc import Sequence
from typing import NamedTuple

from dann_jax.report.drawing import Mark, ticks

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 42, 10, 10, 24
"""Of a chart and the margins around what is drawn, in its own units."""


class Axes(NamedTuple):
    """What the width and the height of a chart stand for.

    Attributes:
      x: low and high end of the horizontal axis.
      y: of the vertical one.
    """

    x: tuple[float, float]
    y: tuple[float, float]

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a value stands, in the chart's units; `y` is kept within its ends."""
        first, last = self.x
        low, high = self.y
        across = (x - first) / (last - first) if last > first else 0.5
        up = (min(max(y, low), high) - low) / (high - low)
        right = LEFT + across * (WIDTH - LEFT - RIGHT)
        return right, HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def through(
        self, x: Sequence[float], y: Sequence[float]
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The points of a line: their `x`, and their `y`."""
        places = [self.point(*pair) for pair in zip(x, y, strict=True)]
        across, down = zip(*places, strict=True)
        return across, down

    def marks(self, *, whole: bool = False) -> list[Mark]:
        """Lines and numbers of both axes.

        Args:
          whole: whether only whole numbers stand on the horizontal axis.
        """
        marks = []
        for tick in ticks(*self.y):
            x, y = self.point(self.x[0], tick)
            marks.append(Mark("line", [x, WIDTH - RIGHT], [y, y], "grid"))
            text = f"{tick:g}"
            marks.append(Mark("text", [LEFT - 6], [y + 4], text=text, anchor="end"))
        for tick in ticks(*self.x, 5):
            if tick == int(tick) or not whole:
                x, _ = self.point(tick, self.y[0])
                text = f"{tick:g}"
                marks.append(Mark("text", [x], [HEIGHT - BOTTOM + 15], text=text))
        return marks
