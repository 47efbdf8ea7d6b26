"""The page of a choice: its verdict, what its settings left, links to their pages."""

import html.parser
import pathlib
from typing import Any

import pytest
from reports import made_up_analysis, made_up_epochs, made_up_results, write_run

from dann_jax.report.exports import write_everything, write_page
from dann_jax.report.run import RunFiles, read_run
from dann_jax.report.summary import hiding_sentence

ARMS = ("plain", "dann")
SETTINGS = ("wide", "layers=(1,2) & <b>")
CANDIDATES = {
    f"{setting}: {arm}": {"setting": setting, "arm": arm}
    for setting in SETTINGS
    for arm in ARMS
}


def made_up_choice() -> dict[str, Any]:
    first, *others = CANDIDATES
    results = made_up_results((first, "chosen", *others))
    ua = dict.fromkeys(CANDIDATES, 0.5)
    fold = {"candidate": others[-1], "inner_ua": ua, "outer_ua": ua}
    entry = {"metric": "ua", "difference": 0.01, "ci95": [-0.1, 0.1]}
    return results | {
        "choice": {
            "folds": [{"fold": "fold ann", **fold}, {"fold": "fold bob", **fold}],
            "candidates": CANDIDATES,
            "against": [{"against": name, **entry} for name in CANDIDATES],
            "oracle": {"oracle": results["summary"][first]},
            "recommended": {
                "candidate": others[-1],
                **CANDIDATES[others[-1]],
                "why": ["Because."],
            },
        }
    }


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = write_run(tmp_path_factory.mktemp("choice") / "run", made_up_choice())
    for setting in SETTINGS:
        write_run(
            folder / "settings" / setting,
            made_up_results(ARMS),
            made_up_epochs(ARMS),
            made_up_analysis(ARMS),
        )
    return folder


class Links(html.parser.HTMLParser):
    """Where the links of a page lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.to: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link."""
        self.to += [str(v) for k, v in attrs if tag == "a" and k == "href"]


def test_the_page_has_what_the_recommended_setting_left(workdir: pathlib.Path) -> None:
    page = write_page(workdir).read_text()
    for name in ("domains", "learning", "who", "maps", "selection"):
        assert f'<section id="{name}"' in page
    run = read_run(workdir)
    ours = [name for name, own in CANDIDATES.items() if own["setting"] == SETTINGS[1]]
    assert list(run.analysis["maps"]["points"]) == ours
    assert {probe["arm"] for probe in run.analysis["probes"]} == {*ours}
    assert list(run.analysis["diagnoses"]) == [ours[-1]]
    assert f"{ours[0]}/loss/label" in run.epochs[0]
    # Those of the choice are of all its candidates.
    assert "confusion" not in run.analysis and "classes" not in run.analysis


def test_it_links_to_the_page_of_every_setting(workdir: pathlib.Path) -> None:
    links = [to for to in Links(write_page(workdir).read_text()).to if to[0] != "#"]
    assert links == [
        "settings/wide/report.html",
        "settings/layers%3D%281%2C2%29%20%26%20%3Cb%3E/report.html",
    ]


def test_where_settings_left_nothing_there_is_a_page(
    tmp_path: pathlib.Path,
) -> None:
    folder = write_run(tmp_path / "run", made_up_choice())
    assert read_run(folder).analysis == {}
    assert "Choice of settings" in write_page(folder).read_text()
    assert write_everything(read_run(folder), folder)


def test_the_head_speaks_of_what_was_chosen_alone(workdir: pathlib.Path) -> None:
    page = write_page(workdir).read_text()
    verdict = page.partition('class="verdict">')[2].partition("</p>")[0]
    assert verdict == "chosen is better than wide: plain in WA and UA."


def test_whether_a_domain_is_hidden_is_told_of_the_recommended() -> None:
    config = {
        "adversaries": {"speaker": {"column": "speaker"}},
        "arms": {"plain": {}, "dann": {"speaker": 0.3}},
    }
    results = made_up_choice()
    name = results["choice"]["recommended"]["candidate"]
    said = hiding_sentence(RunFiles("run", results, config=config))
    assert f"of the rows with {name} (chance 10 %" in said
    first = next(iter(CANDIDATES))
    results["choice"]["recommended"] |= {"candidate": first, **CANDIDATES[first]}
    assert hiding_sentence(RunFiles("run", results, config=config)) == ""
