"""Where commands begin: light, so that Ctrl-C is heard while the rest is imported."""

import importlib
import signal


def train() -> None:
    """`dann-train`."""
    _start("train")


def prepare() -> None:
    """`dann-prepare`."""
    _start("prepare")


def evaluate() -> None:
    """`dann-evaluate`."""
    _start("evaluate")


def report() -> None:
    """`dann-report`."""
    _start("report")


def predict() -> None:
    """`dann-predict`."""
    _start("predict")


def export() -> None:
    """`dann-export`."""
    _start("export")


def _start(command: str) -> None:
    # In the middle of an import an exception is a page of traceback, or, within a
    # library in C, another exception. The signal itself says all there is to say.
    heard = signal.signal(signal.SIGINT, signal.SIG_DFL)
    module = importlib.import_module(f"dann_jax.cli.{command}")
    signal.signal(signal.SIGINT, heard)
    module.run()
