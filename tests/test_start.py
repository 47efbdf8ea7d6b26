"""How a command begins: it can be stopped at any time, without a traceback."""

import importlib
import signal
import subprocess
import sys
import types

import pytest

from dann_jax.cli import start

COMMANDS = ("train", "prepare", "evaluate", "report", "predict", "export")


def test_stopped_in_the_middle_of_an_import_it_says_nothing() -> None:
    program = """
import importlib, os, signal
from dann_jax.cli import start
importlib.import_module = lambda name: os.kill(os.getpid(), signal.SIGINT)
start.train()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == -signal.SIGINT
    assert ended.stdout == ended.stderr == ""


def test_in_the_background_of_a_script_it_stays_deaf() -> None:
    program = """
import importlib, os, signal
from dann_jax.cli import start
signal.signal(signal.SIGINT, signal.SIG_IGN)
real = importlib.import_module
def module(name):
    os.kill(os.getpid(), signal.SIGINT)
    return real("types").SimpleNamespace(run=lambda: print(signal.getsignal(2).name))
importlib.import_module = module
start.train()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.strip() == "SIG_IGN", ended.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_afterwards_the_command_hears_the_signal_itself(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def module(title: str) -> types.SimpleNamespace:
        seen.append(title)
        return types.SimpleNamespace(
            run=lambda: seen.append(signal.getsignal(signal.SIGINT))
        )

    monkeypatch.setattr(importlib, "import_module", module)
    getattr(start, name)()
    assert seen == [f"dann_jax.cli.{name}", before]


def test_to_begin_brings_nothing_heavy_along() -> None:
    program = "import sys; from dann_jax.cli import start; print('jax' in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.strip() == "False", ended.stderr
