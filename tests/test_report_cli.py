"""`dann-report`: what it prints, writes and refuses."""

import json
import pathlib

import pytest
from commands import Call, assert_refused
from commands import call as call
from reports import made_up_results, write_run

from dann_jax.cli import report
from dann_jax.report.tables import result_table


def test_help_shows_both_ways_to_call_it(call: Call) -> None:
    ended = call(report, "--help")
    assert (ended.code, ended.err) == (0, "")
    for word in ("--workdir=W", "--compare W1 W2", "--output", "--figure"):
        assert word in ended.out


@pytest.mark.slow
def test_the_table_is_printed_and_everything_else_is_said_to_be_where_it_is(
    call: Call, tmp_path: pathlib.Path
) -> None:
    folder = write_run(tmp_path / "run")
    ended = call(report, f"--workdir={folder}", f"--figure={tmp_path}/forest.svg")
    assert (ended.code, ended.out) == (0, result_table(made_up_results()) + "\n")
    places = dict(line.split(": ") for line in ended.err.splitlines())
    assert places["report"] == str(folder / "report.html")
    assert places["figure"] == str(tmp_path / "forest.svg")
    for name in ("figures", "tables"):
        where, count = places[name].split(" (")
        assert len(list(pathlib.Path(where).iterdir())) == int(count.split()[0])
    for place in ("report", "figure"):
        assert pathlib.Path(places[place]).stat().st_size


def test_runs_are_compared_under_names_that_tell_them_apart(
    call: Call, tmp_path: pathlib.Path
) -> None:
    one, two = (write_run(tmp_path / side / "run") for side in ("a", "b"))
    other = write_run(tmp_path / "other")
    page = tmp_path / "compare.html"
    ended = call(report, "--compare", one, other, f"--output={page}")
    assert ended.code == 0 and ended.err == f"report: {page}\n"
    names = [line.split(" | ")[0][2:].strip() for line in ended.out.splitlines()[2:]]
    assert names == ["run", "run", "other", "other"]
    assert "2 runs side by side" in page.read_text()
    assert str(two) in call(report, "--compare", one, two).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--workdir=W, or --compare"),
        (["--compare"], "--workdir=W, or --compare"),
        (["{run}"], "--workdir=W, or --compare"),
        (["--workdir={run}", "--compare", "{run}"], "--workdir=W, or --compare"),
        (["--workdir={run}", "--output=x.html"], "--output is for --compare"),
        (["--workdir={run}", "--figur=x.svg"], "did you mean --figure"),
        (["--workdir={run}/nowhere"], "no finished run"),
        (["--compare", "{run}", "{run}/nowhere"], "no finished run"),
    ],
)
def test_misuse_is_one_line_and_nothing_is_written(
    words: list[str], said: str, call: Call, tmp_path: pathlib.Path
) -> None:
    folder = write_run(tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))
    assert_refused(call(report, *(word.format(run=folder) for word in words)), said)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_analysis_is_named(call: Call, tmp_path: pathlib.Path) -> None:
    folder = write_run(tmp_path / "run")
    (folder / "analysis.json").write_text(json.dumps({})[:-1])
    ended = call(report, f"--workdir={folder}")
    assert_refused(ended, "analysis.json", "is not JSON")
