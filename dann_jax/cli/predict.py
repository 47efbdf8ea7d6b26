"""`dann-predict`: recordings in, emotion probabilities out."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from absl import app, flags
from etils import epath

from dann_jax.bundle.model import Bundle
from dann_jax.bundle.pace import with_pace
from dann_jax.bundle.people import (
    NameOf,
    enrol_everybody,
    name_of,
    with_names,
)
from dann_jax.bundle.prediction_files import FORMATS
from dann_jax.bundle.predictions import (
    ClipPrediction,
    predict_clips,
    predict_read,
    read_clips,
)
from dann_jax.bundle.recordings import Clip
from dann_jax.cli import command
from dann_jax.cli.console import exit_with_message, start_logging
from dann_jax.cli.model_flags import ModelFlags
from dann_jax.cli.predict_source import Source
from dann_jax.data.features.speech import DETECTORS
from dann_jax.training.compilation import use_compilation_cache
from dann_jax.utils.files import open_whole
from dann_jax.utils.text import one_line

USAGE = """\
dann-predict --model=DIR [--window=SECONDS] FILE_OR_FOLDER ... > emotions.csv

Prints, for every recording, its most probable emotion and the probability of each.
Arguments are audio files, folders of them, patterns, tables (.csv, .tsv, .jsonl or
.xlsx with a column `file`), or `-` for standard input: a list of paths, or sound, told
apart by the first bytes; WAV, and 16-bit samples at 16 kHz, are predicted as they come.
What cannot be read is reported, the rest is predicted, and the exit code is 1. In CSV,
text that a spreadsheet would take for a formula (it begins with = + - @) gets an
apostrophe before it."""

SHORTEST = 0.01
"""Seconds of a window, and between two: less would be no sound, and endless."""

_FLAGS = flags.FlagValues()
_MODEL = ModelFlags(_FLAGS)
_FORMAT = flags.DEFINE_enum(
    "format", "csv", list(FORMATS), "Of the output: csv or jsonl.", flag_values=_FLAGS
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "File to write, whole at the end or not at all; else to stdout.",
    flag_values=_FLAGS,
)
_WINDOW = flags.DEFINE_float(
    "window",
    None,
    "Seconds: cut recordings into windows of this length.",
    flag_values=_FLAGS,
)
_HOP = flags.DEFINE_float(
    "hop",
    None,
    "Seconds from one window to the next; the length of a window if unset.",
    flag_values=_FLAGS,
)
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", 16, "Recordings at a time.", lower_bound=1, flag_values=_FLAGS
)
_SPEAKERS = flags.DEFINE_string(
    "speakers",
    None,
    "Of many people, each by their own recordings, which are those that are predicted "
    "and are all read first: folder (a folder is a person), column (speaker, of a "
    "manifest), or a regular expression whose group finds the name in a path.",
    flag_values=_FLAGS,
)
_STDIN_AUDIO = flags.DEFINE_bool(
    "stdin_audio",
    False,
    "Read one recording from standard input, to its end; `-` predicts while it comes.",
    flag_values=_FLAGS,
)
_SEGMENTS = flags.DEFINE_bool(
    "segments",
    False,
    "Cut recordings where somebody speaks, a row for each; with --window these too.",
    flag_values=_FLAGS,
)
_VAD = flags.DEFINE_enum(
    "vad",
    "energy",
    list(DETECTORS),
    "What finds speech for --segments: energy, which needs nothing, or silero, a "
    "network (pip install 'dann_jax[vad]').",
    flag_values=_FLAGS,
)


def main(arguments: list[str]) -> None:
    """Predict; exit with 1 if anything could not be read."""
    _MODEL.check()
    arguments = arguments[1:]
    _check_cuts(arguments)
    name = _checked_people(arguments)
    start_logging()
    use_compilation_cache()
    failures: list[str] = []

    def report(reason: str) -> None:
        failures.append(reason)
        print(f"error: {one_line(reason)}", file=sys.stderr)

    with (
        exit_with_message(interrupted="interrupted"),
        tempfile.TemporaryDirectory() as folder,
        _open_output() as file,
    ):
        size = {"report": report, "batch_size": _BATCH_SIZE.value}
        bundle = _MODEL.load(**size, enrols=name is not None)
        detector = DETECTORS[_VAD.value] if _SEGMENTS.value else None
        source = Source(
            *(arguments, _STDIN_AUDIO.value, _WINDOW.value, _HOP.value, detector)
        )
        head, reject = source.head(), _MODEL.reject
        if live := source.is_live(head):
            if name is not None:
                raise app.UsageError(
                    "--speakers reads all recordings first, and a stream has no end"
                )
            predictions = source.predict_live(
                bundle, head, report=report, reject=reject
            )
        else:
            clips = source.clips(head, folder, report)
            predictions = _predictions(bundle, clips, name, reject=reject, **size)
        timed = live or source.is_timed
        try:
            FORMATS[_FORMAT.value](file, predictions, bundle.columns, timed=timed)
        except BrokenPipeError:
            # Whoever read the output, such as `head`, has seen enough. Python would
            # complain once more when it closes the stream.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
    if failures:
        sys.exit(1)


def _predictions(
    bundle: Bundle, clips: Iterable[Clip], name: NameOf | None, **options: Any
) -> Iterator[ClipPrediction]:
    """Of recordings, whose people `name` names, where there is one."""
    if name is None:
        return with_pace(predict_clips(bundle, clips, **options))
    size = {one: options[one] for one in ("report", "batch_size")}
    read = list(read_clips(bundle, with_names(clips, name), **size))
    bundle = enrol_everybody(bundle, read)
    return with_pace(predict_read(bundle, read, **options))


def _check_cuts(arguments: list[str]) -> None:
    """Raise `UsageError` unless the flags for cuts make sense together."""
    if bool(arguments) == _STDIN_AUDIO.value:
        raise app.UsageError(
            "name files, folders, patterns or manifests, or `-` for a list of paths "
            "or sound on standard input; or give --stdin_audio and nothing else"
        )
    if _HOP.value is not None and _WINDOW.value is None:
        raise app.UsageError("--hop needs --window")
    for flag in (_WINDOW, _HOP):
        if flag.value is not None and not SHORTEST <= flag.value < float("inf"):
            raise app.UsageError(
                f"--{flag.name} must be at least {SHORTEST:g} s, got {flag.value:g}"
            )
    if _HOP.value is not None and _HOP.value > _WINDOW.value:
        raise app.UsageError(
            f"--hop must be at most the window, {_WINDOW.value:g} s, or sound is left "
            f"out; got {_HOP.value:g}"
        )


def _checked_people(arguments: list[str]) -> NameOf | None:
    """How recordings name their people, where `--speakers` says so."""
    if _SPEAKERS.value is None:
        return None
    if _MODEL.enrol.value:
        raise app.UsageError(
            "--enrol is for recordings of one person, --speakers for those of many; "
            "give one of them"
        )
    if not arguments:
        raise app.UsageError(
            "--speakers tells recordings of many people apart, and --stdin_audio reads "
            "one; --enrol enrols one person"
        )
    try:
        return name_of(_SPEAKERS.value)
    except ValueError as error:
        raise app.UsageError(f"--speakers: {error}") from None


def _open_output() -> contextlib.AbstractContextManager:
    if _OUTPUT.value:
        return open_whole(epath.Path(_OUTPUT.value))
    return contextlib.nullcontext(sys.stdout)


def run() -> None:
    """Console entry point."""
    command.run(main, _FLAGS, USAGE)


if __name__ == "__main__":
    sys.exit(run())
