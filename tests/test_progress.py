"""How far something is, with a terminal and without."""

import logging
import os
import pty

import pytest

from dann_jax.utils.progress import Progress


@pytest.fixture(autouse=True)
def _no_handlers() -> None:
    logging.getLogger("dann_jax").propagate = True


def work(total: int, done: int = 0) -> None:
    with Progress("counting", total=total, unit="step", done=done) as progress:
        for number in range(done, total):
            progress.now("counting on")
            progress.note(f"loss {number}")
            progress.update()


@pytest.mark.parametrize(("total", "lines"), [(1000, 10), (3, 3)])
def test_without_a_terminal_there_are_a_few_lines(
    total: int, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dann_jax")
    work(total)
    first, *others = caplog.messages
    assert first == "counting ..." and len(others) == lines
    assert others[-1] == (
        f"counting on: {total} of {total} steps (100 %), loss {total - 1}"
    )


def test_what_was_done_before_counts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "dann_jax")
    work(10, done=8)
    shown = [line.split(" (")[0] for line in caplog.messages]
    assert shown[1:] == [f"counting on: {number} of 10 steps" for number in (9, 10)]


def test_on_a_terminal_there_is_a_bar_and_no_lines(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dann_jax")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr("sys.stderr", terminal)
        work(4)
        terminal.flush()
        shown = ""
        while "4/4" not in shown:
            shown += os.read(ours, 10000).decode()
    os.close(ours)
    assert "counting:   0%" in shown and "counting on: 100%" in shown
    assert "loss 3" in shown
    assert caplog.messages == []
