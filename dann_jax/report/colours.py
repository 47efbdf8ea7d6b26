"""Colours that stay apart for the colour-blind, on paper and in the dark.

After Okabe and Ito, "Color Universal Design", 2008; made darker on white and lighter on
black until each has a contrast of 3 with its ground (WCAG 2.2, success criterion
1.4.11).
"""

PALETTE = (
    ("#5b6472", "#aab3c0"),
    ("#0072b2", "#56b4e9"),
    ("#c04a00", "#ff9152"),
    ("#00785a", "#35c99e"),
    ("#a2488b", "#e59acb"),
    ("#8a6700", "#eec04a"),
    ("#14808c", "#62d3de"),
    ("#7a1f1f", "#f08c8c"),
)
"""On a light and on a dark ground; the first, grey, is the baseline's."""

_DASHES = ("6 3", "", "2 2", "8 3 2 3", "10 4", "1 3", "5 2 1 2 1 2", "3 5")


def dash(index: int) -> str:
    """Lengths of the dashes of an arm's curve, for who sees no colour.

    The second arm's is drawn through: where curves lie on each other, the dashes of the
    baseline below show.
    """
    return _DASHES[index % len(_DASHES)]


def arm_class(index: int) -> str:
    """The class of the marks of the arm that is so far down."""
    return f"arm-{index % len(PALETTE)}"


def style() -> str:
    """The palette as rules of CSS."""
    colours = "".join(
        f"--arm-{index}:light-dark({light},{dark});"
        for index, (light, dark) in enumerate(PALETTE)
    )
    rules = "".join(f".arm-{i}{{--c:var(--arm-{i})}}" for i in range(len(PALETTE)))
    hidden = ",".join(f".hide-{i} .mark.arm-{i}" for i in range(len(PALETTE)))
    return f":root{{{colours}}}{rules}{hidden}{{display:none}}"
