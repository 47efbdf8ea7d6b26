"""Maps of the same rows before and after, drawn by the page's script."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dann_jax.report.elements import Section, data_table, note
from dann_jax.report.markup import Markup, data_block, join, tag
from dann_jax.report.neighbours import METHODS, neighbour_table
from dann_jax.report.run import RunFiles


def maps_section(run: RunFiles) -> Section | None:
    """Menus, the maps, and a table of their neighbours."""
    maps = run.analysis.get("maps", {})
    points = {
        arm: by_place for arm, by_place in maps.get("points", {}).items() if by_place
    }
    if not points or not maps.get("rows"):
        return None
    columns = [name for name in maps["rows"] if name != "utt_id"]
    first = "emotion" if "emotion" in columns else columns[0]
    methods = _present(
        by_method for by_place in points.values() for by_method in by_place.values()
    )
    places = list(
        dict.fromkeys(place for by_method in points.values() for place in by_method)
    )
    after = [place for place in places if place != "input"] or places
    where = f"fold “{maps['fold']}”, seed {maps['seed']}" if "fold" in maps else ""
    content = [
        note(
            f"The same {len(next(iter(maps['rows'].values())))} rows on every map"
            f"{f' ({where})' if where else ''}. Near is alike; the axes mean "
            "nothing. Point at a row, or go to a map and press the arrow keys: the row "
            "is marked on every map. A name in the legend marks its rows."
        ),
        tag(
            "div",
            _chooser("colour", "Colour", columns, first),
            _chooser("method", "Map", methods, methods[-1]),
            _chooser("place", "After", after, after[0]),
            class_="control needs-script",
        ),
        tag("p", id="map-legend", class_="map-legend"),
        tag("div", id="map-panels", class_="maps"),
        tag("p", id="map-details", class_="map-details", aria_live="polite"),
        tag("noscript", tag("p", "The maps need a script; see the files in figures/.")),
        data_table(neighbour_table(maps)),
        data_block("map-data", _data(maps, points, run.arms)),
    ]
    return Section("maps", "Maps", "Maps", join(content))


def _present(by_method: Any) -> list[str]:
    known = {name for methods in by_method for name in methods}
    return [name for name in METHODS if name in known] + sorted(known - {*METHODS})


def _chooser(name: str, title: str, options: Sequence[str], chosen: str) -> Markup:
    buttons = (
        tag(
            "option",
            METHODS.get(option, option),
            value=option,
            selected=option == chosen,
        )
        for option in options
    )
    return tag(
        "label", f"{title} ", tag("select", buttons, id=f"map-{name}"), class_="chooser"
    )


def _data(
    maps: Mapping[str, Any], points: Mapping[str, Any], arms: Sequence[str]
) -> dict[str, Any]:
    """What the script draws: names once, and numbers that refer to them."""
    columns = {}
    for name, values in maps["rows"].items():
        if name == "utt_id":
            continue
        options = sorted(set(map(str, values)))
        ids = {option: place for place, option in enumerate(options)}
        columns[name] = {"words": options, "ids": [ids[str(value)] for value in values]}
    rounded = {
        arm: {
            place: {method: _three_digits(xy) for method, xy in by_method.items()}
            for place, by_method in points[arm].items()
        }
        for arm in arms
        if arm in points
    }
    return {
        "rows": [str(name) for name in maps["rows"].get("utt_id", [])],
        "columns": columns,
        "points": rounded,
        "methods": METHODS,
    }


def _three_digits(points: Sequence[Sequence[float]]) -> list[list[int | None]]:
    """Coordinates as integers 0..1000 of the map's own extent, one scale for both."""
    array = np.asarray(points, float).reshape(-1, 2)
    low, high = np.nanmin(array, 0), np.nanmax(array, 0)
    scaled = (array - (low + high) / 2) / (np.max(high - low) or 1.0)
    return [
        [None if math.isnan(x) else round(500 + 960 * x) for x in row]
        for row in scaled.tolist()
    ]
