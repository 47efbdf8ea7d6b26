"""Tables and figures of a run as files, and runs side by side."""

import csv
import io
import pathlib
import re
import xml.etree.ElementTree

import pytest
from reports import RUDE, made_up_analysis, made_up_epochs, made_up_results

from dann_jax.report.analysis_tables import analysis_tables
from dann_jax.report.comparison import comparison_page, run_table
from dann_jax.report.drawing import Drawing
from dann_jax.report.elements import data_table
from dann_jax.report.exports import write_everything, write_tables
from dann_jax.report.figures import forest_plot, write_figures
from dann_jax.report.neighbours import neighbour_table
from dann_jax.report.painting import chart_height, grid, paint_chart
from dann_jax.report.run import RunFiles
from dann_jax.report.sections.outcome import forest_charts
from dann_jax.report.sections.people import class_chart
from dann_jax.report.table import (
    Interval,
    Number,
    Table,
    comma_separated,
    latex,
    markdown,
)

TABLE = Table(
    "toy",
    "A toy",
    ["arm", "UA", "interval"],
    [
        ["a|b\nc", Number(1 / 3, std=0.01, chance=0.25), Interval(0.25, 0.5)],
        [RUDE, Number(float("nan")), Interval(float("nan"), 0.5)],
    ],
)


def everything() -> RunFiles:
    return RunFiles("run", made_up_results(), made_up_analysis(), made_up_epochs())


def test_csv_holds_every_part_of_a_number_unrounded() -> None:
    rows = list(csv.DictReader(io.StringIO(comma_separated(TABLE))))
    assert rows == [
        {
            "arm": "a|b\nc",
            "UA": str(1 / 3),
            "UA std": "0.01",
            "UA chance": "0.25",
            "interval low": "0.25",
            "interval high": "0.5",
        },
        {
            "arm": RUDE,
            "UA": "",
            "UA std": "",
            "UA chance": "",
            "interval low": "",
            "interval high": "0.5",
        },
    ]


def test_markdown_keeps_a_row_on_its_line_and_a_cell_in_its_bars() -> None:
    lines = markdown(TABLE).splitlines()
    assert len(lines) == 4
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert "33.33 ± 1.00 (25.00)" in lines[2] and "[–, 50.00]" in lines[3]


def test_latex_escapes_what_it_would_take_for_a_command() -> None:
    text = latex(TABLE)
    assert text.count(r"\\") == 3
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0]
    for sign in "&%$#_":
        own = body.replace(r"$\pm$", "").replace(" & ", "")
        assert not re.search(rf"(?<!\\){re.escape(sign)}", own), sign
    assert r"33.33 $\pm$ 1.00 (25.00)" in body


def test_a_table_without_rows_has_a_header() -> None:
    empty = Table("none", "None", ["a", "b"], [])
    assert comma_separated(empty) == "a,b\n"
    assert markdown(empty).splitlines()[0] == "| a | b |"


def test_the_name_of_an_arm_cannot_leave_the_folder(tmp_path: pathlib.Path) -> None:
    table = TABLE._replace(name="confusion_../../x y")
    write_tables([table], tmp_path / "tables")
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    assert names == {f"confusion_.._.._x_y.{kind}" for kind in ("csv", "md", "tex")}
    assert len(list(tmp_path.iterdir())) == 1


def test_every_table_of_an_analysis_is_there() -> None:
    names = [table.name for table in analysis_tables(everything())]
    assert names == [
        *("classes", "confusion_source_only", "confusion_dann", "speakers", "groups"),
        *("probes", "a_distance", "selection", "map_neighbours"),
    ]
    # Of a run that was not analysed, what its results know.
    old = analysis_tables(RunFiles("old", made_up_results()))
    assert [table.name for table in old] == [*names[:3], "probes"]


def test_neighbours_on_a_map_are_counted() -> None:
    points = [[0.0, 0.01 * i] for i in range(20)] + [[9.0, 0.01 * i] for i in range(20)]
    maps = {
        "rows": {"utt_id": list("x" * 40), "side": [0] * 20 + [1] * 20},
        "points": {
            "a": {"input": {"pca": points}, "head": {"pca": points[:5]}},
            "b": {"input": {"pca": points}},
        },
    }
    first, second = neighbour_table(maps).rows
    assert first[:3] == ["any", "input", "PCA"]
    assert first[3].value == 1.0
    assert first[3].chance == pytest.approx(19 / 39)
    # Five rows have no ten neighbours.
    assert str(second[3]) == "–"


def test_a_file_shows_the_marks_of_the_page_where_the_page_has_them() -> None:
    run = everything()
    for chart in (class_chart(run), *forest_charts({"run": run})):
        (column,) = [i for i, w in enumerate(chart.header) if isinstance(w, Drawing)]
        drawings = [chart.header[column], *(row[column] for row in chart.rows)]
        figure, (axis,) = grid([chart_height(chart)], width=600)
        paint_chart(axis, chart)
        kinds = [mark.shape for drawing in drawings for mark in drawing.marks]
        assert kinds.count("rect") == len(axis.patches)
        assert kinds.count("text") == len(axis.texts)
        assert kinds.count("circle") + kinds.count("line") == len(axis.lines)
        bars = [m for d in drawings for m in d.marks if m.shape == "rect"]
        for mark, patch in zip(bars, axis.patches, strict=True):
            assert patch.get_xy()[:, 0].max() == pytest.approx(mark.x[1])
            assert f'width="{mark.x[1]:.2f}%"' in data_table(chart)


@pytest.mark.slow
def test_figures_are_drawn_twice_the_same_and_hold_no_date(
    tmp_path: pathlib.Path,
) -> None:
    arms = ("_hidden", RUDE)
    analysis = made_up_analysis(arms, num_speakers=3, num_rows=20)
    analysis["maps"]["rows"].pop("corpus")
    run = RunFiles("run", made_up_results(arms), analysis, made_up_epochs(arms, 3))
    first = write_figures(run, tmp_path / "a")
    names = ["forest", "curves", "classes", "speakers", "confusions", "probes"]
    names += ["maps_emotion", "maps_speaker"]
    assert [p.name for p in first] == [
        f"{n}.{k}" for n in names for k in ("svg", "png")
    ]
    for path in first:
        if path.suffix == ".svg":
            xml.etree.ElementTree.parse(path)
        else:
            assert path.read_bytes().startswith(b"\x89PNG")
    forest_plot(run.results, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == first[0].read_bytes()


def test_a_figure_of_another_kind_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"\.svg, \.png or \.pdf"):
        forest_plot(made_up_results(), tmp_path / "figure.jpg")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_everything_is_written_of_an_old_run(tmp_path: pathlib.Path) -> None:
    page, *files = write_everything(RunFiles("old", made_up_results()), tmp_path)
    assert page == tmp_path / "report.html"
    assert {file.parent.name for file in files} == {"figures", "tables"}
    assert all(file.stat().st_size for file in (page, *files))


def test_runs_side_by_side_say_what_each_shows_and_what_was_set_otherwise() -> None:
    one = everything()._replace(config={"a": {"b": 1}, "same": 2})
    leaky = made_up_results(gain=0.0, leaks=["speaker"])
    two = RunFiles("two", leaky, config={"a": {"b": RUDE}, "same": 2})
    page = comparison_page({RUDE: one, "two": two})
    assert "dann is better than source_only in WA and UA." in page
    assert "no difference shown in WA or UA." in page
    assert "Leak allowed in two." in page and page.count('role="alert"') == 1
    assert "a.b" in page and ">same<" not in page
    assert RUDE not in page


def test_runs_of_other_metrics_share_no_table() -> None:
    other = made_up_results()
    for scores in other["summary"].values():
        for metric in ("wa", "ua", "macro_f1"):
            scores[metric.replace("wa", "eer_cosine")] = scores.pop(metric)
    with pytest.raises(ValueError, match="share no table"):
        run_table({"one": made_up_results(), "two": other})
