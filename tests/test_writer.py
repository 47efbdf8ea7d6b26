"""Metrics: one JSON object a line, and none that a resumed run will write again."""

import json
import pathlib

import pytest
from corpora_and_batches import limited_file_size
from etils import epath

from dann_jax.training.writer import MetricWriter, open_writer, read_metrics


def write_lines(folder: pathlib.Path, steps: range) -> None:
    with open_writer(epath.Path(folder), resume_step=0) as writer:
        for step in steps:
            writer.write(step, {"epoch": step // 10, "dann/loss": 0.1 + step})


def lines(folder: pathlib.Path) -> list[str]:
    return (folder / "metrics.jsonl").read_text().splitlines()


def test_every_call_appends_one_json_object(tmp_path: pathlib.Path) -> None:
    write_lines(tmp_path, range(10, 40, 10))
    assert [json.loads(line) for line in lines(tmp_path)] == [
        {"step": step, "epoch": step // 10, "dann/loss": 0.1 + step}
        for step in (10, 20, 30)
    ]


def test_a_new_run_starts_with_an_empty_file(tmp_path: pathlib.Path) -> None:
    write_lines(tmp_path, range(0))
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""


def test_what_was_written_after_the_resumed_step_is_dropped(
    tmp_path: pathlib.Path,
) -> None:
    write_lines(tmp_path, range(10, 60, 10))
    before = lines(tmp_path)
    with open_writer(epath.Path(tmp_path), resume_step=30) as writer:
        assert lines(tmp_path) == before[:3]
        writer.write(40, {"epoch": 4, "dann/loss": 40.1})
    assert lines(tmp_path) == before[:4]


@pytest.mark.parametrize("cut", [1, 12, -2, -1])
def test_half_a_line_at_the_end_is_dropped(tmp_path: pathlib.Path, cut: int) -> None:
    write_lines(tmp_path, range(10, 40, 10))
    path, before = tmp_path / "metrics.jsonl", lines(tmp_path)
    last = before[-1] + "\n"
    path.write_text("".join(line + "\n" for line in before[:-1]) + last[:cut])
    with open_writer(epath.Path(tmp_path), resume_step=1000) as writer:
        writer.write(40, {})
    # A line that lacks nothing but its end is whole.
    kept = before if cut == -1 else before[:-1]
    assert lines(tmp_path) == [*kept, '{"step": 40}']


def test_dropping_lines_without_room_to_write_loses_none(
    tmp_path: pathlib.Path,
) -> None:
    write_lines(tmp_path, range(10, 600, 10))
    before = lines(tmp_path)
    with limited_file_size(500), pytest.raises(OSError, match="large"):
        MetricWriter(epath.Path(tmp_path), resume_step=590)
    assert lines(tmp_path) == before


@pytest.mark.parametrize(
    "line", ["{}", "[]", "3", '{"step": "4"}', '{"step": 4, "loss": "low"}', '{"st']
)
def test_a_line_that_is_none_is_named_by_reader_and_writer(
    tmp_path: pathlib.Path, line: str
) -> None:
    write_lines(tmp_path, range(10, 40, 10))
    path = tmp_path / "metrics.jsonl"
    first, *rest = lines(tmp_path)
    path.write_text("\n".join([first, line, *rest]) + "\n")
    before = path.read_bytes()
    for act in (
        read_metrics,
        lambda folder: MetricWriter(folder, resume_step=30),
    ):
        with pytest.raises(
            ValueError, match=r"metrics\.jsonl, line 2: must be"
        ) as told:
            act(epath.Path(tmp_path))
        assert "\n" not in str(told.value)
    assert path.read_bytes() == before


def test_half_a_line_at_the_end_is_not_read(tmp_path: pathlib.Path) -> None:
    write_lines(tmp_path, range(10, 40, 10))
    path = tmp_path / "metrics.jsonl"
    whole = read_metrics(epath.Path(tmp_path))
    with path.open("a") as file:
        file.write('{"step": 40, "epo')
    assert read_metrics(epath.Path(tmp_path)) == whole
    assert [line["step"] for line in whole] == [10, 20, 30]


def test_what_is_no_text_is_said(tmp_path: pathlib.Path) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(ValueError, match=r"metrics\.jsonl is damaged"):
        read_metrics(epath.Path(tmp_path))
