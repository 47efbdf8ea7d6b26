"""A lock holds one process off, and a dead one holds nobody off."""

import os
import pathlib
import subprocess
import sys
import threading

import pytest

from dann_jax.utils.locks import Busy, locked

HOLD = """
import sys, time
from dann_jax.utils.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_another_process_is_held_off_until_the_first_is_killed(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "x.lock"
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=r"x\.lock"), locked(path):
            pass
        process.kill()
    # What it left is no hindrance.
    assert path.exists()
    with locked(path):
        assert path.exists()
    assert not path.exists()


def test_one_that_waits_gets_the_lock_once_it_is_free(tmp_path: pathlib.Path) -> None:
    path, order = tmp_path / "x.lock", []

    def second() -> None:
        with locked(path, wait=True):
            order.append("second")

    with locked(path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert not path.exists()


def test_those_who_share_a_lock_hold_off_only_who_does_not(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "x.lock"
    with locked(path, shared=True):
        with locked(path, shared=True), pytest.raises(Busy), locked(path):
            pass
        # One of two has gone.
        assert path.exists()
        with pytest.raises(Busy), locked(path):
            pass
    assert not path.exists()
    with locked(path), pytest.raises(Busy), locked(path, shared=True):
        pass


def test_a_disk_without_locks_is_used_without(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise OSError(38, os.strerror(38))

    monkeypatch.setattr("fcntl.flock", refuse)
    with locked(tmp_path / "x.lock"):
        pass
    assert not list(tmp_path.iterdir())
