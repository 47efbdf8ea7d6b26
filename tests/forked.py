"""Programs that begin in a copy of a process which has imported what they need.

Half of what a short command costs is what it imports. Here one process imports it all,
uses JAX for nothing, and is forked for every program.
"""

import atexit
import contextlib
import functools
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

TRAIN = "from dann_jax.cli import train; train.run()"
PREPARE = "import os; os.setsid(); from dann_jax.cli import prepare; prepare.run()"
"""Together with its workers a group of processes, which has its number."""
_FOLDERS = os.environ["XDG_CACHE_HOME"]
"""Of all tests, some of which have one of their own; removed when they end."""
_IMPORTED = (
    *("dann_jax.cli.train", "dann_jax.cli.prepare", "dann_jax.bundle"),
    *("dann_jax.data.prepare", "tensorflow", "orbax.checkpoint"),
    *("scipy.stats", "sklearn.linear_model", "sklearn.model_selection"),
)


class Forked:
    """A running program; what `subprocess.Popen` offers of one."""

    def __init__(
        self, program: str, *words: object, environment: Mapping[str, str] = {}
    ) -> None:
        folder = tempfile.mkdtemp(dir=_FOLDERS)
        self._folder = pathlib.Path(folder)
        request = {
            "program": program,
            "words": [*map(str, words)],
            "environment": os.environ | environment,
            "folder": str(self._folder),
        }
        server = _server()
        print(json.dumps(request), file=server.stdin, flush=True)
        self.pid = int(server.stdout.readline())

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            return int((self._folder / "code").read_text())

    def wait(self, timeout: float = 300) -> int:
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.01)
        return code

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        self.wait(timeout)
        return (self._folder / "out").read_text(), (self._folder / "err").read_text()

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.send_signal(signal.SIGKILL)


@functools.cache
def _server() -> subprocess.Popen:
    """The process that is forked; it ends with this one, which closes its input."""
    server = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)
    return server


def _serve() -> dict:
    """Fork for every request; returns it, in the process that is to run it."""
    # As a command does before it imports TensorFlow.
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_ENABLE_ONEDNN_OPTS": "0"}
    for name in _IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        if os.fork():
            continue
        request = json.loads(line)
        if not (pid := os.fork()):
            return request
        print(pid, flush=True)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        partial = pathlib.Path(request["folder"], "code.partial")
        partial.write_text(str(code))
        partial.rename(partial.with_suffix(""))
        os._exit(0)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    sys.exit()


def _become(request: Mapping) -> None:
    """Take over the environment, the streams and the words of a program."""
    os.environ.clear()
    os.environ.update(request["environment"])
    for stream, name in ((sys.stdout, "out"), (sys.stderr, "err")):
        with open(os.path.join(request["folder"], name), "w") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = ["-c", *request["words"]]


if __name__ == "__main__":
    _request = _serve()
    _become(_request)
    exec(_request["program"], {"__name__": "__main__"})
