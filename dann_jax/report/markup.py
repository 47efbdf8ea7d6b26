"""HTML that cannot forget to escape.

A name from a corpus may hold anything. Every text becomes HTML here and nowhere else.
"""

import html
import json
from collections.abc import Iterable, Mapping
from typing import Any

_VOID = {"meta", "link", "input", "br", "hr", "img"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def tag(name: str, /, *children: Child, **attributes: object) -> Markup:
    """An element; text among its children and attributes is escaped.

    Args:
      name: of the element.
      *children: texts, elements, None (nothing), or iterables of them.
      **attributes: `class_` stands for `class` and an underscore for a hyphen; None
        and False leave one out, and True gives it no value.

    Example:
      >>> tag("p", "1 < 2", class_="fact", hidden=True)
      '<p class="fact" hidden>1 &lt; 2</p>'
    """
    start = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{start}>")
    return Markup(f"<{name}{start}>{join(children)}</{name}>")


def join(children: Child) -> Markup:
    """Children one after the other."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, (str, int, float)):
        return Markup(html.escape(str(children), quote=False))
    return Markup("".join(map(join, children)))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    attribute = key.rstrip("_").replace("_", "-")
    return (
        f" {attribute}"
        if value is True
        else f' {attribute}="{html.escape(str(value))}"'
    )


def data_block(identifier: str, value: Mapping[str, Any]) -> Markup:
    """JSON for the page's script, which no text in it can end."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return tag("script", Markup(text), type="application/json", id=identifier)
