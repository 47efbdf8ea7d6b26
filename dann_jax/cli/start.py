"""Entry points of the commands, light so that signals work during imports."""

import functools
import gc
import importlib

from dann_jax.cli.signals import ends_at_once


def _start(command: str) -> None:
    # In the middle of an import an exception is a page of traceback, or, within a
    # library in C, another exception.
    with ends_at_once(lambda: "nothing was begun"):
        # What is imported stays: looking through it for rubbish, again and again while
        # programs are traced, takes a tenth of the way to the first step.
        gc.disable()
        module = importlib.import_module(f"dann_jax.cli.{command}")
        gc.freeze()
        gc.enable()
        gc.set_threshold(20_000)
    module.run()


train = functools.partial(_start, "train")
"""`dann-train`, and likewise the others."""

prepare = functools.partial(_start, "prepare")
evaluate = functools.partial(_start, "evaluate")
report = functools.partial(_start, "report")
predict = functools.partial(_start, "predict")
export = functools.partial(_start, "export")
adapt = functools.partial(_start, "adapt")
serve = functools.partial(_start, "serve")
