"""Where marks of a drawing lie. Positions are in per cent: a phone scales nothing."""

import math

from dann_jax.report.markup import Markup, tag


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers inside an interval, about `count` of them.

    Example:
      >>> ticks(0.0, 1.0)
      [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    rough = (high - low) / count
    if not (rough > 0.0 and math.isfinite(rough)):
        return [low]
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1.0, 2.0, 5.0, 10.0) if power * m >= 0.6 * rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(step * place, 12) for place in range(first, last + 1)]


def place(fraction: float) -> str:
    """A fraction of the width."""
    return f"{min(max(100 * fraction, 0.0), 100.0):.2f}%"


def vertical(percent: float, height: float, word: str) -> Markup:
    """A line from top to bottom, of a class."""
    x = f"{percent:.2f}%"
    return tag("line", x1=x, x2=x, y1=0, y2=height, class_=word)


def horizontal(low: float, high: float, y: float, word: str) -> Markup:
    """A line between two fractions of the width, of a class."""
    return tag("line", x1=place(low), x2=place(high), y1=y, y2=y, class_=word)
