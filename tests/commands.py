"""Commands called in this process: starting one of its own costs seconds."""

import logging
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import NamedTuple

import pytest
from absl import app


class Ended(NamedTuple):
    """How a command ended: its exit code, and what it said."""

    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Iterator[Call]:
    """`call(module, *words)`: the command as its user has it."""
    own = logging.getLogger("dann_jax")
    before = own.level, own.propagate, own.handlers
    # Abseil's would take over the logging of the whole process.
    monkeypatch.setattr(
        app, "run", lambda main, flags_parser: main(flags_parser(sys.argv))
    )

    def run(module: ModuleType, *words: object) -> Ended:
        # The devices of this process are divided already.
        monkeypatch.setattr(module, "use_devices", lambda _: None, raising=False)
        monkeypatch.setattr(sys, "argv", ["dann", *map(str, words)])
        capsys.readouterr()
        code, said = 0, ""
        try:
            module.run()
        except SystemExit as ended:
            code = ended.code or 0
        out, err = capsys.readouterr()
        if isinstance(code, str):
            # Python prints it and exits with 1.
            code, said = 1, f"{code}\n"
        return Ended(code, out, err + said)

    yield run
    own.setLevel(before[0])
    own.propagate, own.handlers = before[1:]


def assert_refused(ended: Ended, *words: str) -> None:
    """One line on standard error that holds the words, nothing else, exit code 1."""
    assert (ended.code, ended.out) == (1, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line
