"""Numbers of studies as they are kept in JSON, and as tables show them."""

import math
from collections.abc import Sequence

DECIMALS = 5


def rounded(*values: float) -> list[float | None]:
    """As they are kept; JSON has nothing but null for NaN and infinity.

    Example:
      >>> rounded(1 / 3, 2, math.nan)
      [0.33333, 2.0, None]
    """
    return [
        round(float(value), DECIMALS) if math.isfinite(value) else None
        for value in values
    ]


def in_percent(values: Sequence[float], sign: str = "") -> str:
    """A share and the ends of its interval; what follows them is left out.

    Example:
      >>> in_percent([0.942, 0.926, 0.958]), in_percent([0.04, -0.01, 0.09], "+")
      ('94.2 [92.6, 95.8]', '+4.0 [-1.0, +9.0]')
    """
    middle, low, high = (format(100 * value, f"{sign}.1f") for value in values[:3])
    return f"{middle} [{low}, {high}]"


def gain_in_points(gain: Sequence[float] | None) -> str:
    """A difference with its interval; bold where the interval excludes 0.

    Example:
      >>> gain_in_points([0.042, 0.026, 0.058])
      '**+4.2 [2.6, 5.8]**'
    """
    if gain is None:
        return ""
    middle, low, high = (100 * value for value in gain[:3])
    text = f"{middle:+.1f} [{low:.1f}, {high:.1f}]"
    return f"**{text}**" if low > 0 or high < 0 else text
