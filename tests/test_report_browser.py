"""The page in a real browser: it renders by itself, and everything can be reached."""

import itertools
import pathlib
from collections.abc import Iterator

import pytest
from reports import made_up_analysis, made_up_epochs, made_up_results

from benchmarks.browser import Page, browser, find_browser
from dann_jax.report.comparison import comparison_page
from dann_jax.report.page import report_page
from dann_jax.report.run import RunFiles

pytestmark = pytest.mark.slow

ARMS = ("source_only", "dann", "coral")


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    executable = find_browser()
    if executable is None:
        pytest.skip("no chromium here (Debian: apt-get install chromium)")
    with browser(executable) as page:
        yield page


@pytest.fixture(scope="module")
def run() -> RunFiles:
    folds = [f"{a} -> {b}" for a, b in itertools.permutations(("de", "en", "it"), 2)]
    return RunFiles(
        "run",
        made_up_results(ARMS, folds, leaks=["speaker"]),
        made_up_analysis(ARMS, num_speakers=24),
        made_up_epochs(ARMS),
    )


@pytest.fixture(scope="module")
def files(
    run: RunFiles, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pathlib.Path]:
    folder = tmp_path_factory.mktemp("pages")
    pages = {
        "run": report_page(run),
        "old": report_page(RunFiles("old", made_up_results())),
        "compare": comparison_page({"one": run, "two": run}),
    }
    for name, text in pages.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture
def opened(tab: Page, files: dict[str, pathlib.Path]) -> Page:
    tab.show_as(scheme="light")
    tab.open(files["run"])
    return tab


@pytest.mark.parametrize("name", ["run", "old", "compare"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_asks_for_nothing_complains_of_nothing_and_fits(
    name: str, width: int, tab: Page, files: dict[str, pathlib.Path]
) -> None:
    tab.show_as(width=width, scheme="dark")
    tab.open(files[name])
    asked = [
        own["request"]["url"]
        for method, own in tab.events
        if method == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if url != files[name].as_uri()] == []
    complaints = (
        "Runtime.exceptionThrown",
        "Log.entryAdded",
        "Runtime.consoleAPICalled",
    )
    assert [event for event in tab.events if event[0] in complaints] == []
    # No part but tables, which scroll by themselves, is wider than the screen.
    assert tab.run("document.documentElement.scrollWidth") == width


OUTSIDE = """
[...document.querySelectorAll('nav a, nav input, nav button, .verdict, .said li')]
  .filter((own) => {
    const box = own.getBoundingClientRect();
    return box.left < 0 || box.right > innerWidth || box.bottom > innerHeight;
  }).map((own) => own.outerHTML)
"""
ROWS = """
[...document.querySelectorAll('caption')]
  .filter((own) => own.textContent.startsWith('Paired differences'))
  .flatMap((own) => [...own.parentElement.querySelectorAll('tbody tr')])
  .map((own) => own.getBoundingClientRect().height)
"""


def test_verdict_scores_and_every_control_are_in_view_on_a_phone(
    tab: Page, files: dict[str, pathlib.Path]
) -> None:
    tab.show_as(width=390, height=844, scheme="light")
    for name in ("run", "old"):
        tab.open(files[name])
        assert tab.run(OUTSIDE) == []
        assert "UA of all tested rows" in tab.run(
            "document.querySelector('.said').innerText"
        )
        heights = tab.run(ROWS)
        # A row is one line of text high.
        assert heights and max(heights) < 40


def test_every_control_and_image_has_a_name_and_every_id_is_one(opened: Page) -> None:
    opened.run("document.querySelectorAll('details').forEach(own => own.open = true)")
    nodes = opened.call("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "checkbox", "combobox", "slider", "link", "image", "application"}
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert {role for role, _ in found} >= roles - {"application", "image"}
    assert [role for role, name in found if not name.strip()] == []
    headings = [
        n["name"]["value"] for n in nodes if n["role"].get("value") == "heading"
    ]
    assert len(headings) == len({*headings})
    ids = opened.run("[...document.querySelectorAll('[id]')].map(own => own.id)")
    assert len(ids) == len({*ids})


def test_every_control_is_reached_by_the_tabulator(opened: Page) -> None:
    wanted = opened.run(
        "[...document.querySelectorAll("
        "'a, button, input, select, summary, [tabindex]')]"
        ".filter(own => own.checkVisibility()).length"
    )
    reached = set()
    for _ in range(wanted + 2):
        opened.press("Tab")
        reached.add(
            opened.run(
                "[...document.querySelectorAll('*')].indexOf(document.activeElement)"
            )
        )
    body = opened.run("[...document.querySelectorAll('*')].indexOf(document.body)")
    assert len(reached - {body}) == wanted


# Of the text that a person reads: its colour on the nearest ground that is not clear.
CONTRAST = """
(() => {
  const canvas = document.createElement('canvas')
    .getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((x) => x / 255)
      .map((x) => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (own) => {
    for (let at = own; at; at = at.parentElement) {
      const found = rgba(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return rgba(getComputedStyle(document.body).backgroundColor);
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  while (texts.nextNode()) {
    const own = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !own.checkVisibility()) continue;
    const style = getComputedStyle(own);
    const ink = own.closest('svg') ? style.fill : style.color;
    const [a, b] = [light(rgba(ink)), light(ground(own))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    count += 1;
    if (contrast < 4.5) poor.push([own.tagName, own.textContent, contrast]);
  }
  return {count, poor: poor.slice(0, 5)};
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_the_contrast_that_wcag_asks_for(
    scheme: str, tab: Page, files: dict[str, pathlib.Path]
) -> None:
    tab.show_as(scheme=scheme)
    tab.open(files["run"])
    found = tab.run(CONTRAST)
    assert found["count"] > 300
    assert found["poor"] == []


GROUND = "getComputedStyle(document.body).backgroundColor"


def test_the_theme_is_that_of_the_system_until_it_is_chosen(opened: Page) -> None:
    light = opened.run(GROUND)
    opened.show_as(scheme="dark")
    dark = opened.run(GROUND)
    pressed = "document.querySelector('#theme').getAttribute('aria-pressed')"
    assert dark != light and opened.run(pressed) == "true"
    opened.run("document.querySelector('#theme').focus()")
    opened.press("Enter")
    assert opened.run(GROUND) == light and opened.run(pressed) == "false"
    opened.run("localStorage.clear()")


def test_an_arm_is_hidden_in_every_drawing(opened: Page) -> None:
    marks = (
        "[...document.querySelectorAll('.mark.arm-1')]"
        ".filter(own => own.checkVisibility()).length"
    )
    others = marks.replace("arm-1", "arm-2")
    before = opened.run(others)
    assert opened.run(marks) > 20
    opened.run("document.querySelector('[data-arm=\"1\"]').focus()")
    opened.press(" ")
    assert opened.run(marks) == 0 and opened.run(others) == before


def test_the_slider_shows_another_epoch_in_every_chart(
    opened: Page, run: RunFiles
) -> None:
    readout = "document.querySelector('figure.curves .readout b').textContent"
    key = "source_only/loss/label"
    assert float(opened.run(readout)) == pytest.approx(run.epochs[-1][key], rel=0.01)
    opened.run("document.querySelector('#epoch').focus()")
    opened.press("ArrowLeft")
    assert float(opened.run(readout)) == pytest.approx(run.epochs[-2][key], rel=0.01)
    shown = "document.querySelectorAll('.cursor:not([hidden])').length"
    charts = opened.run("document.querySelectorAll('figure.curves').length")
    assert opened.run(shown) == charts > 5


def choose(page: Page, name: str, value: str) -> None:
    page.run(
        f"(() => {{ const own = document.querySelector('#map-{name}');"
        f" own.value = '{value}'; own.dispatchEvent(new Event('change')); }})()"
    )


def test_maps_are_coloured_by_what_is_chosen(opened: Page, run: RunFiles) -> None:
    rows = run.analysis["maps"]["rows"]
    legend = (
        "[...document.querySelectorAll('#map-legend button')].map(o => o.textContent)"
    )
    panels = "document.querySelectorAll('#map-panels svg').length"
    assert opened.run(panels) == 1 + len(ARMS)
    for column in ("emotion", "speaker", "corpus"):
        choose(opened, "colour", column)
        assert sorted(opened.run(legend)) == sorted({*rows[column]})
    # 24 speakers share 8 colours: colour and shape together tell them apart.
    choose(opened, "colour", "speaker")
    looks = (
        "[...document.querySelectorAll('#map-legend svg')]"
        ".map(o => o.getAttribute('class') + o.firstChild.getAttribute('d'))"
    )
    assert len({*opened.run(looks)}) == len({*rows["speaker"]})


def test_arrow_keys_go_from_row_to_row_and_say_which_it_is(
    opened: Page, run: RunFiles
) -> None:
    rows = run.analysis["maps"]["rows"]
    opened.run("document.querySelector('#map-panels svg').focus()")
    opened.press("ArrowRight")
    opened.press("ArrowRight")
    said = opened.run("document.querySelector('#map-details').textContent")
    for column in ("utt_id", "emotion", "speaker", "corpus"):
        assert rows[column][1] in said
    chosen = "document.querySelectorAll('#map-panels .chosen').length"
    assert opened.run(chosen) == 1 + len(ARMS)


def test_a_name_in_the_legend_marks_its_rows_on_every_map(
    opened: Page, run: RunFiles
) -> None:
    emotions = run.analysis["maps"]["rows"]["emotion"]
    opened.run("document.querySelector('#map-legend button').focus()")
    opened.press("Enter")
    bright = "document.querySelectorAll('#map-panels .row:not(.dim)').length"
    own = sum(word == min(emotions) for word in emotions)
    assert opened.run(bright) == own * (1 + len(ARMS))


def test_the_page_prints_on_white_without_controls(
    tab: Page, files: dict[str, pathlib.Path]
) -> None:
    tab.show_as(scheme="dark")
    tab.open(files["run"])
    tab.run("document.documentElement.dataset.theme = 'dark'")
    tab.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert (
            tab.run("getComputedStyle(document.querySelector('nav')).display") == "none"
        )
        assert (
            tab.run("getComputedStyle(document.documentElement).colorScheme") == "light"
        )
    finally:
        tab.call("Emulation.setEmulatedMedia", media="")
