"""UA against the number of unlabelled clips of a new person: tables and a figure."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

SIZES = (0, 1, 2, 3, 5, 10, 20, 10**6)
"""Clips of the new person; the last is all of them."""

NOTHING = "none"
"""The line of a model that standardises all speakers alike."""

Curves = Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]]
"""Corpus -> line -> clips, by `label_of` -> UA of every draw, in [0, 1]."""


def label_of(size: int) -> str:
    """A number of clips in words."""
    return "all" if size == SIZES[-1] else str(size)


HEADS = tuple(map(label_of, SIZES))


def table(curves: Curves) -> str:
    """In Markdown: mean UA over draws in per cent, and its standard deviation."""
    lines = [f"| corpus | line | {' | '.join(HEADS)} |"]
    lines.append("|---" * (2 + len(HEADS)) + "|")
    for corpus, name, scores in _lines(curves):
        cells = [_cell(scores.get(head, ())) for head in HEADS]
        lines.append(f"| {corpus} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def gains(curves: Curves, few: str = "5") -> str:
    """In Markdown: points of UA over no clips, with a few clips and with all.

    The share is left out where all of them gain less than a point.
    """
    lines = [f"| corpus | line | {few} clips | all | share |", "|---" * 5 + "|"]
    for corpus, name, scores in _lines(curves):
        if few not in scores:
            continue
        start, some, every = (
            100 * np.mean(scores[head]) for head in ("0", few, HEADS[-1])
        )
        gain = every - start
        share = f"{100 * (some - start) / gain:.0f} %" if gain >= 1 else ""
        cells = f"{some - start:+.1f} | {gain:+.1f} | {share}"
        lines.append(f"| {corpus} | {name} | {cells} |")
    return "\n".join(lines)


def draw(curves: Curves) -> Figure:
    """A panel a corpus, a curve a line; without statistics a line across."""
    names = [name for lines in curves.values() for name in lines if name != NOTHING]
    colors = {name: f"C{index}" for index, name in enumerate(dict.fromkeys(names))}
    figure = Figure(figsize=(3.2 * len(curves), 3.6), layout="constrained")
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    shown = {}
    for panel, (corpus, lines) in zip(panels, curves.items(), strict=True):
        for name, scores in lines.items():
            heads = [head for head in HEADS if head in scores]
            means = [100 * np.mean(scores[head]) for head in heads]
            if name == NOTHING:
                shown[name] = panel.axhline(means[0], color="grey", ls="--")
                continue
            places = [HEADS.index(head) for head in heads]
            # Lines that all but coincide stay visible.
            dashes = "--" if " " in name else "-"
            style = {"marker": "o", "ms": 3, "color": colors[name], "ls": dashes}
            (shown[name],) = panel.plot(places, means, **style)
        panel.set_xticks(range(len(HEADS)), HEADS)
        panel.set_title(corpus)
    panels[0].set_ylabel("UA (%)")
    figure.supxlabel("unlabelled clips of the new person", fontsize=10)
    figure.legend(
        shown.values(), shown, loc="outside upper center", ncols=len(shown), fontsize=8
    )
    return figure


def _lines(
    curves: Curves,
) -> Iterator[tuple[str, str, Mapping[str, Sequence[float]]]]:
    for corpus, lines in curves.items():
        for name, scores in lines.items():
            yield corpus, name, scores


def _cell(values: Sequence[float]) -> str:
    percent = 100 * np.asarray(values)
    if not percent.size:
        return ""
    spread = f" ± {percent.std():.1f}" if percent.std() >= 0.05 else ""
    return f"{percent.mean():.1f}{spread}"
