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
from dann_jax.bundle.enrolment import require_enrolment
from dann_jax.bundle.people import (
    NameOf,
    enrol_everybody,
    enrol_one,
    name_of,
    with_names,
)
from dann_jax.bundle.prediction_files import FORMATS
from dann_jax.bundle.predictions import (
    predict_clips,
    predict_read,
    read_clips,
)
from dann_jax.bundle.recordings import (
    MANIFESTS,
    Clip,
    Report,
    cut_into_windows,
    find_clips,
)
from dann_jax.bundle.rejection import require_rejection
from dann_jax.cli import command
from dann_jax.cli.console import exit_with_message, start_logging
from dann_jax.training.compilation import use_compilation_cache
from dann_jax.utils.files import open_whole
from dann_jax.utils.text import one_line

USAGE = """\
dann-predict --model=DIR [--window=SECONDS] FILE_OR_FOLDER ... > emotions.csv

Prints, for every recording, its most probable emotion and the probability of each.
Arguments are audio files, folders of them, patterns, tables (.csv, .tsv, .jsonl or
.xlsx with a column `file`), or `-` for a list of paths on standard input. What cannot
be read is reported, the rest is predicted, and the exit code is 1. In CSV, text that a
spreadsheet would take for a formula (it begins with = + - @) gets an apostrophe before
it."""

SHORTEST = 0.01
"""Seconds of a window, and between two: less would be no sound, and endless."""

_FLAGS = flags.FlagValues()
_MODEL = flags.DEFINE_string(
    "model",
    None,
    "A bundle, or the work directory that holds it.",
    flag_values=_FLAGS,
)
_ALLOW_CODE = flags.DEFINE_bool(
    "allow_code",
    False,
    "Import the modules that the model names as its makers' own; they can do whatever "
    "you can.",
    flag_values=_FLAGS,
)
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
_ENCODER = flags.DEFINE_string(
    "encoder",
    None,
    "Folder of the pretrained encoder that the model's features are made by, where it "
    "lies elsewhere than the Hugging Face cache.",
    flag_values=_FLAGS,
)
_REJECT = flags.DEFINE_float(
    "reject",
    None,
    "Print the label unknown where no class has this probability, in (0, 1]; the "
    "probabilities are printed all the same.",
    flag_values=_FLAGS,
)
_ENROL = flags.DEFINE_multi_string(
    "enrol",
    [],
    "Recordings of the one person in all that is predicted (a file, folder, pattern or "
    "manifest; without labels; one is enough): their own statistics standardise the "
    "features of a model that was trained with data.standardise_by=speaker.",
    flag_values=_FLAGS,
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
    "Read one recording from standard input.",
    flag_values=_FLAGS,
)


def main(arguments: list[str]) -> None:
    """Predict; exit with 1 if anything could not be read."""
    command.require_flags(_MODEL)
    arguments = arguments[1:]
    if bool(arguments) == _STDIN_AUDIO.value:
        raise app.UsageError(
            "name files, folders, patterns or manifests, or `-` for a list of paths "
            "on standard input; or give --stdin_audio and nothing else"
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
    reject = 0.0 if _REJECT.value is None else _REJECT.value
    if _REJECT.value is not None and not 0.0 < reject <= 1.0:
        raise app.UsageError(
            f"--reject is a probability above 0 and up to 1, such as .5; got {reject:g}"
        )
    name = _checked_people(arguments)
    start_logging()
    use_compilation_cache()
    failures: list[str] = []

    def report(reason: str) -> None:
        failures.append(reason)
        print(f"error: {one_line(reason)}", file=sys.stderr)

    with (
        exit_with_message(interrupted="interrupted"),
        _open_output() as file,
        _clips(arguments, report) as clips,
    ):
        bundle = load_bundle(
            _MODEL.value, allow_code=_ALLOW_CODE.value, encoder=_ENCODER.value
        )
        # Whether it can be done at all, before a line is written.
        bundle.require_answers()
        require_rejection(bundle.description, reject)
        bundle.extractors()
        if _ENROL.value or name is not None:
            require_enrolment(bundle.description)
        timed = any(argument.lower().endswith(MANIFESTS) for argument in arguments)
        if _WINDOW.value is not None:
            hop = _WINDOW.value if _HOP.value is None else _HOP.value
            clips, timed = cut_into_windows(clips, window=_WINDOW.value, hop=hop), True
        size = {"report": report, "batch_size": _BATCH_SIZE.value}
        if _ENROL.value:
            voice = find_clips(_ENROL.value, listed=(), report=report)
            bundle = enrol_one(bundle, voice, **size)
        if name is None:
            predictions = predict_clips(bundle, clips, reject=reject, **size)
        else:
            read = list(read_clips(bundle, with_names(clips, name), **size))
            bundle = enrol_everybody(bundle, read)
            predictions = predict_read(bundle, read, reject=reject, **size)
        try:
            FORMATS[_FORMAT.value](file, predictions, bundle.columns, timed=timed)
        except BrokenPipeError:
            # Whoever read the output, such as `head`, has seen enough. Python would
            # complain once more when it closes the stream.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
    if failures:
        sys.exit(1)


def _checked_people(arguments: list[str]) -> NameOf | None:
    """How recordings name their people, where `--speakers` says so."""
    if _SPEAKERS.value is None:
        return None
    if _ENROL.value:
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


@contextlib.contextmanager
def _clips(arguments: list[str], report: Report) -> Iterator[Iterator[Clip]]:
    if arguments:
        # Not every name of a file is text; as an argument it comes like this, too.
        with contextlib.suppress(AttributeError):
            sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
        yield find_clips(arguments, listed=sys.stdin, report=report)
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
    command.run(main, _FLAGS, USAGE)


if __name__ == "__main__":
    sys.exit(run())
