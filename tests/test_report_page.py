"""The page of a run: what it says, of whatever kind of run, and what it escapes."""

import copy
import html.parser
import json
import pathlib
import re

import pytest
from reports import (
    RUDE,
    made_up_analysis,
    made_up_epochs,
    made_up_results,
    write_run,
)

from dann_jax.report.page import report_page
from dann_jax.report.run import RunFiles, read_run
from dann_jax.report.tables import comparison_table
from dann_jax.utils.files import WorkdirError


class Outline(html.parser.HTMLParser):
    """The elements of a page, and its text without scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & {*self.open}:
            self.text += f"{data} "


def everything() -> RunFiles:
    return RunFiles("run", made_up_results(), made_up_analysis(), made_up_epochs())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--seeds=2"], "--workdir=runs/run"),
        (["--workdir=of mine"], "'--workdir=of mine'"),
        (["--workdir", "here", "--seeds=2"], "--workdir=here"),
    ],
)
def test_the_report_is_made_again_from_where_the_run_went(
    words: list[str], told: str
) -> None:
    run = everything()._replace(environment={"command": ["dann-train", *words]})
    assert f"dann-report {told}" in Outline(report_page(run)).text


def test_every_section_is_there_and_in_the_contents() -> None:
    page = Outline(report_page(everything()))
    sections = [own["id"] for tag, own in page.tags if tag == "section"]
    linked = [own["href"][1:] for tag, own in page.tags if tag == "a"]
    assert sections == [
        *("results", "domains", "learning", "who", "maps", "selection"),
        *("data", "reproduce"),
    ]
    assert [name for name in linked if name != "main"] == sections
    assert page.open == []


def test_the_page_of_an_old_run_leaves_out_what_was_not_recorded() -> None:
    page = Outline(report_page(RunFiles("run", made_up_results())))
    sections = [own["id"] for tag, own in page.tags if tag == "section"]
    assert sections == ["results", "domains", "who", "data", "reproduce"]


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.05, "dann is better than source_only in WA and UA."),
        (-0.05, "dann is worse than source_only in WA and UA."),
        (0.01, "Of dann and source_only: no difference shown in WA or UA."),
    ],
)
def test_the_verdict_claims_what_the_interval_shows_and_no_more(
    gain: float, words: str
) -> None:
    page = Outline(
        report_page(RunFiles("run", made_up_results(gain=gain, spread=0.02)))
    )
    assert words in page.text


def test_of_many_arms_the_verdict_counts_those_without_a_difference() -> None:
    results = made_up_results(("plain", "a", "b", "c"))
    for entry in results["comparisons"]:
        if entry["arm"] != "b":
            entry["ci95"] = [-0.01, 0.02]
    page = Outline(report_page(RunFiles("run", results)))
    assert (
        "UA: b is better than plain; no difference shown between plain and any of "
        "the other 2 arms." in page.text
    )


@pytest.mark.parametrize(
    ("p_values", "words"),
    [
        ([0.01, 0.02, 0.03], "UA: a, b and c are better than plain."),
        (
            [0.01, 0.2, 0.03],
            "UA: a and c are better than plain; b is better than plain (hint only). A "
            "hint: its interval excludes 0, but its p is above .05 after correction "
            "for 3 arms.",
        ),
        (
            [0.3, 0.2, 0.06],
            "UA: a, b and c are better than plain (hint only). A hint:",
        ),
    ],
)
def test_the_verdict_of_the_head_is_that_of_the_table(
    p_values: list[float], words: str
) -> None:
    results = made_up_results(("plain", "a", "b", "c"))
    by_arm = dict(zip("abc", p_values, strict=True))
    for entry in results["comparisons"]:
        entry["p_corrected"] = by_arm[entry["arm"]]
    page = Outline(report_page(RunFiles("run", results)))
    assert words in page.text
    for row in comparison_table(results).rows:
        hint = " (hint only)" * (by_arm[row[0][0]] > 0.05)
        assert row[-1] == f"better{hint}"


def test_of_few_folds_more_seeds_show_nothing_and_the_page_says_so() -> None:
    results = made_up_results()
    for entry in results["comparisons"]:
        entry["seeds_needed"] = 1
    assert (
        "More seeds cannot show it: with 2 folds no p is below 0.5. More folds"
        in Outline(report_page(RunFiles("run", results))).text
    )
    many = [
        {**replica, "fold": f"{replica['fold']} {copy}"}
        for copy in range(3)
        for replica in results["replicas"]
    ]
    page = Outline(report_page(RunFiles("run", {**results, "replicas": many})))
    assert (
        "To show a difference of this size in four of five experiments takes 1 seed; "
        "this run has 2." in page.text
    )


def test_a_leak_has_a_banner_and_no_leak_has_none() -> None:
    for leaks in ([], ["speaker", "session"]):
        page = Outline(report_page(RunFiles("run", made_up_results(leaks=leaks))))
        banners = [own for tag, own in page.tags if own.get("role") == "alert"]
        assert len(banners) == bool(leaks)
        assert ("share speaker, session" in page.text) == bool(leaks)


def test_names_are_text_wherever_they_stand() -> None:
    arms = ("source_only", RUDE)
    results = made_up_results(arms, (RUDE, "fold"), leaks=[RUDE])
    results["system"] = results["protocol"]["name"] = RUDE
    results["labels"][0] = results["corpora"][0] = RUDE
    run = RunFiles(
        RUDE,
        results,
        made_up_analysis(arms, adversary=RUDE),
        made_up_epochs(arms, adversary=RUDE),
        {RUDE: RUDE},
        {"command": ["x", RUDE], "packages": {RUDE: RUDE}, "git_commit": RUDE},
    )
    text = report_page(run)
    page = Outline(text)
    assert page.open == []
    assert page.text.count(RUDE) > 30
    assert not any(
        "onclick" in own or tag == "script" and "src" in own for tag, own in page.tags
    )
    blocks = re.findall(r'<script type="application/json".*?>(.*?)</script[\s/>]', text)
    assert len(blocks) == 2
    assert RUDE in json.loads(blocks[1])["points"]


def test_numbers_that_were_not_measured_are_dashes() -> None:
    results = made_up_results()
    results["summary"]["dann"]["ua"]["ci95"] = [float("nan")] * 2
    results["comparisons"][1] |= {"ci95": [float("nan")] * 2, "p_value": float("nan")}
    analysis = made_up_analysis()
    analysis["probes"][0]["accuracy"] = float("nan")
    analysis["speakers"][0]["scores"]["dann"]["ua"] = float("nan")
    analysis["classes"]["dann"][0] = float("nan")
    analysis["maps"]["points"]["dann"]["encoder"]["pca"][0] = [float("nan")] * 2
    page = Outline(report_page(RunFiles("run", results, analysis)))
    assert "[–, –]" in page.text
    assert not re.search(r"\bnan\b", page.text)


def test_one_arm_one_seed_and_one_fold_have_a_page() -> None:
    results = made_up_results(("plain",), ("fold",), 1)
    page = Outline(
        report_page(RunFiles("run", results, {}, made_up_epochs(("plain",), 1)))
    )
    assert "There is one arm, plain" in page.text
    assert "±" not in page.text


def test_the_page_of_a_run_larger_than_any_of_ours_is_below_5_mb() -> None:
    arms = [f"arm {i}" for i in range(7)]
    folds = [f"{a} -> {b}" for a in "abcd" for b in "abcd" if a != b]
    analysis = made_up_analysis(arms, num_speakers=1000, num_rows=600)
    epochs = made_up_epochs(arms, num_epochs=400)
    run = RunFiles("big", made_up_results(arms, folds, 5), analysis, epochs)
    page = report_page(run)
    assert len(page.encode()) < 5e6
    assert "speaker 998" in page


def test_null_is_read_as_a_number_that_was_not_measured(tmp_path: pathlib.Path) -> None:
    results = made_up_results()
    results["comparisons"][1]["ci95"] = [None, None]
    text = report_page(read_run(write_run(tmp_path / "w", results, made_up_epochs())))
    assert "dann is better than source_only in WA; no difference shown in UA." in text
    assert (
        "dann-train --config=configs/toy.py &#x27;--config.name=a b&#x27;" in text
        or ("dann-train --config=configs/toy.py '--config.name=a b'" in text)
    )
    assert "git checkout 0123456789abcdef" in text


def test_half_a_line_of_a_killed_run_is_no_epoch(tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "w", epochs=made_up_epochs(num_epochs=3))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 40, "epoch"')
    assert len(read_run(folder).epochs) == 3


def test_what_is_no_finished_run_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(WorkdirError, match="no finished run"):
        read_run(tmp_path)
    folder = write_run(tmp_path / "w")
    damaged = copy.deepcopy(made_up_results())
    del damaged["summary"]
    (folder / "results.json").write_text(json.dumps(damaged))
    with pytest.raises(WorkdirError, match="lacks summary"):
        read_run(folder)
    (folder / "results.json").write_text("{")
    with pytest.raises(WorkdirError, match="is not JSON"):
        read_run(folder)
