"""`dann-predict`: recordings in, emotion probabilities out."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator

from absl import app, flags
from etils import epath

from dann_jax.bundle import load_bundle
from dann_jax.bundle.predictions import FORMATS, predict_clips
from dann_jax.bundle.recordings import (
    MANIFESTS,
    Clip,
    Report,
    cut_into_windows,
    find_clips,
)
from dann_jax.cli.console import exit_with_message, start_logging
from dann_jax.training.compilation import use_compilation_cache
from dann_jax.workdir import open_whole

_MODEL = flags.DEFINE_string(
    "model", None, "A bundle, or the work directory that holds it.", required=True
)
_FORMAT = flags.DEFINE_enum("format", "csv", list(FORMATS), "Of the output.")
_OUTPUT = flags.DEFINE_string(
    "output", None, "File to write, whole at the end or not at all; else to stdout."
)
_WINDOW = flags.DEFINE_float(
    "window", None, "Seconds: cut recordings into windows of this length."
)
_HOP = flags.DEFINE_float(
    "hop", None, "Seconds from one window to the next; the length of a window if unset."
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 16, "Recordings at a time.", lower_bound=1
)
_STDIN_AUDIO = flags.DEFINE_bool(
    "stdin_audio", False, "Read one recording from standard input."
)


def main(arguments: list[str]) -> None:
    """Predict; exit with 1 if anything could not be read."""
    words = arguments[1:]
    if bool(words) == _STDIN_AUDIO.value:
        raise app.UsageError(
            "name files, folders, patterns or manifests, or `-` for a list of paths "
            "on standard input; or give --stdin_audio and nothing else"
        )
    if _HOP.value is not None and _WINDOW.value is None:
        raise app.UsageError("--hop needs --window")
    start_logging()
    use_compilation_cache()
    failures: list[str] = []

    def report(reason: str) -> None:
        failures.append(reason)
        print(f"error: {reason}", file=sys.stderr)

    with (
        exit_with_message(interrupted="interrupted"),
        _open_output() as file,
        _clips(words, report) as clips,
    ):
        bundle = load_bundle(_MODEL.value)
        timed = any(word.lower().endswith(MANIFESTS) for word in words)
        if _WINDOW.value is not None:
            hop = _WINDOW.value if _HOP.value is None else _HOP.value
            clips, timed = cut_into_windows(clips, window=_WINDOW.value, hop=hop), True
        heard = predict_clips(
            bundle, clips, report=report, batch_size=_BATCH_SIZE.value
        )
        try:
            FORMATS[_FORMAT.value](file, heard, bundle.labels, timed=timed)
        except BrokenPipeError:
            # Whoever read the output, such as `head`, has seen enough. Python would
            # complain once more when it closes the stream.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
    if failures:
        sys.exit(1)


@contextlib.contextmanager
def _clips(words: list[str], report: Report) -> Iterator[Iterator[Clip]]:
    if words:
        yield find_clips(words, listed=sys.stdin, report=report)
        return
    with tempfile.NamedTemporaryFile() as file:
        # A pipe cannot be sought in, which many a format needs.
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield iter([Clip(file.name, "-")])


def _open_output() -> contextlib.AbstractContextManager:
    if _OUTPUT.value:
        return open_whole(epath.Path(_OUTPUT.value))
    return contextlib.nullcontext(sys.stdout)


def run() -> None:
    """Console entry point."""
    app.run(main)


if __name__ == "__main__":
    sys.exit(run())
