"""Start of every command: its flags, its help, and one line for a wrong argument."""

import contextlib
import difflib
import io
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator

from absl import app, flags

from dann_jax.utils.words import shortened

_HELP = ("-?", "-h", "-help", "--help", "-helpshort", "--helpshort")
_FULL = ("-helpfull", "--helpfull")

Parse = Callable[[list[str]], list[str]]
"""Removes its flags from a command line, and returns the other arguments."""


def run(
    main: Callable[[list[str]], None],
    command_flags: flags.FlagValues,
    usage: str,
    *,
    also: Parse = lambda arguments: arguments,
) -> None:
    """Parse the command line and call `main` with what is left of it.

    Args:
      main: called with the name of the program and the arguments that are no flags.
      command_flags: the flags of the command; those of Abseil are parsed beside them.
      usage: what `--help` shows above the flags.
      also: parses what else the command understands, once `command_flags` is parsed.
    """

    def parse(arguments: list[str]) -> list[str]:
        _help_if_asked(arguments[1:], command_flags, usage)
        with exit_on_misuse(), exit_when_interrupted():
            return _parse(arguments, command_flags, also)

    def call(arguments: list[str]) -> None:
        with exit_on_misuse(), exit_when_interrupted():
            main(arguments)

    for stream in (sys.stdout, sys.stderr):
        # A name from a corpus may hold what an ASCII terminal cannot show.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # TensorFlow only feeds batches and writes stores; its messages do not help users.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow would import Keras, which nothing here uses, and take twice as long;
    # the old one is not there to be imported.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    app.run(call, flags_parser=parse)


def require_no_arguments(arguments: list[str]) -> None:
    """Refuse arguments that are no flags."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected argument {arguments[1]!r}")


def require_flags(*needed: flags.FlagHolder) -> None:
    """Refuse a command line that lacks one of them."""
    missing = [f"--{flag.name}" for flag in needed if not flag.value]
    if missing:
        raise app.UsageError(f"{' and '.join(missing)} must be given")


@contextlib.contextmanager
def exit_on_misuse() -> Iterator[None]:
    """Turn a wrong flag or argument into one line and exit code 1."""
    try:
        yield
    except (flags.Error, app.UsageError) as error:
        sys.exit(f"error: {shortened(str(error))}; --help shows what there is")


@contextlib.contextmanager
def exit_when_interrupted() -> Iterator[None]:
    """Exit with 130 on Ctrl-C, wherever in a command it came."""
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def help_text(command_flags: flags.FlagValues, usage: str) -> str:
    """The usage, and every flag of the command with its default."""
    lines = [usage.strip(), "", "Flags:"]
    module = command_flags.find_module_defining_flag(next(iter(command_flags)))
    for flag in command_flags.get_flags_for_module(module):
        default = flag.default_as_str
        known = "" if flag.default in (None, []) else f" (default: {default})"
        lines.append(f"  --{'[no]' if flag.boolean else ''}{flag.name}")
        lines.append(textwrap.indent(textwrap.fill(flag.help + known, 80), " " * 6))
    return "\n".join(lines)


def _parse(
    arguments: list[str], command_flags: flags.FlagValues, also: Parse
) -> list[str]:
    for name in command_flags:
        # A process may call a command more than once.
        command_flags[name].unparse()
    try:
        return flags.FLAGS(also(command_flags(arguments, known_only=True)))
    except flags.UnrecognizedFlagError as error:
        name = error.flagname
        close = difflib.get_close_matches(name, [*command_flags, *flags.FLAGS])
        hint = f"; did you mean --{close[0]}?" if close else ""
        raise flags.Error(f"unknown flag --{name}{hint}") from None
    except ValueError as error:
        raise flags.Error(str(error)) from None


def _help_if_asked(
    arguments: list[str], command_flags: flags.FlagValues, usage: str
) -> None:
    arguments = arguments[: arguments.index("--")] if "--" in arguments else arguments
    full = any(argument in _FULL for argument in arguments)
    if not full and not any(argument in _HELP for argument in arguments):
        return
    paragraphs = [help_text(command_flags, usage)]
    paragraphs.append(
        flags.FLAGS.get_help() if full else "  --helpfull\n      the others"
    )
    try:
        print("\n".join(paragraphs), flush=True)
    except BrokenPipeError:
        # `--help | head` has seen enough; Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit()
