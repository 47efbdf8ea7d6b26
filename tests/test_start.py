"""How a command begins: it can be stopped at any time, without a traceback."""

import importlib
import signal
import subprocess
import sys
import types

import pytest

from dann_jax.cli import start

COMMANDS = (
    "train",
    "prepare",
    "evaluate",
    "report",
    "predict",
    "export",
    "adapt",
    "serve",
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_of_an_import_it_says_so_in_a_line(
    number: signal.Signals,
) -> None:
    program = f"""
import importlib, os, signal
from dann_jax.cli import start
importlib.import_module = lambda name: os.kill(os.getpid(), {int(number)})
start.train()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 128 + number
    assert ended.stdout == ""
    assert ended.stderr == f"{number.name} stopped it; nothing was begun\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_within_a_callback_of_a_library_in_c_is_not_swallowed(
    number: signal.Signals,
) -> None:
    # As XLA does while it compiles: an exception in the callback is printed, no more.
    program = f"""
import ctypes, os, time
from dann_jax.cli.signals import ends_at_once
callback = ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), {int(number)}))
with ends_at_once(lambda: "step 20 is saved"):
    callback()
    time.sleep(0.1)
print("went on")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (128 + number, "")
    assert ended.stderr == f"{number.name} stopped it; step 20 is saved\n"


def test_even_where_nobody_can_say_what_is_left_it_ends() -> None:
    program = """
import os, signal
from dann_jax.cli.signals import ends_at_once
with ends_at_once(lambda: 1 / 0):
    os.kill(os.getpid(), signal.SIGTERM)
    print("went on")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (143, "")
    assert ended.stderr == "SIGTERM stopped it\n"


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
