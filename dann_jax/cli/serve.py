"""`dann-serve`: a page to record or drop a file on, and an endpoint for programs."""

import errno
import importlib.util
import ipaddress
import logging
import pathlib
import socket
import sys
import tempfile

import numpy as np
from absl import app, flags

from dann_jax.bundle.model import Bundle
from dann_jax.cli import command
from dann_jax.cli.console import exit_with_message, start_logging
from dann_jax.cli.model_flags import ModelFlags
from dann_jax.cli.predict_source import LIVE_HOP, LIVE_WINDOW
from dann_jax.cli.signals import ends_at_once
from dann_jax.data.features.speech import DETECTORS
from dann_jax.serving.answers import Settings, answer
from dann_jax.training.compilation import use_compilation_cache
from dann_jax.utils.text import one_line

USAGE = """\
dann-serve --model=DIR [--port=8000]

Serves a page on this machine on which people record their voice, or drop a file, and
see the probability of each emotion over time; and POST /predict, which takes the bytes
of a recording and answers in JSON:

  curl --data-binary @talk.wav http://127.0.0.1:8000/predict

Nothing that is sent is kept. Other machines are answered only with --host. Needs
pip install 'dann_jax[serve]'."""

SHORTEST = 0.1
"""Seconds of a window, and between two."""

_log = logging.getLogger(__name__)

_FLAGS = flags.FlagValues()
_MODEL = ModelFlags(_FLAGS)
_HOST = flags.DEFINE_string(
    "host",
    "127.0.0.1",
    "Address or name that is listened at; 0.0.0.0 lets other machines in, without a "
    "password or encryption.",
    flag_values=_FLAGS,
)
_PORT = flags.DEFINE_integer(
    "port",
    8000,
    "Port; 0 takes a free one.",
    lower_bound=0,
    upper_bound=65535,
    flag_values=_FLAGS,
)
_WINDOW = flags.DEFINE_float(
    "window", LIVE_WINDOW, "Seconds of a window.", flag_values=_FLAGS
)
_HOP = flags.DEFINE_float(
    "hop", LIVE_HOP, "Seconds from one window to the next.", flag_values=_FLAGS
)
_SEGMENTS = flags.DEFINE_bool(
    "segments",
    False,
    "Predict each stretch of speech, in the place of windows.",
    flag_values=_FLAGS,
)
_VAD = flags.DEFINE_enum(
    "vad",
    "energy",
    list(DETECTORS),
    "What finds speech for --segments, as in dann-predict.",
    flag_values=_FLAGS,
)
_MAX_MEGABYTES = flags.DEFINE_float(
    "max_megabytes", 50.0, "Of a recording, in 10^6 bytes.", flag_values=_FLAGS
)
_MAX_SECONDS = flags.DEFINE_float(
    "max_seconds", 300.0, "Of a recording.", flag_values=_FLAGS
)
_MAX_WAIT = flags.DEFINE_float(
    "max_wait",
    60.0,
    "Seconds in which a recording must have come, and then those that it waits for "
    "others: one is predicted at a time.",
    flag_values=_FLAGS,
)


def main(arguments: list[str]) -> None:
    """Serve until a signal comes."""
    _MODEL.check()
    command.require_no_arguments(arguments)
    _check_numbers()
    start_logging()
    if not importlib.util.find_spec("fastapi") or not importlib.util.find_spec(
        "uvicorn"
    ):
        sys.exit("error: dann-serve needs more packages: pip install 'dann_jax[serve]'")
    use_compilation_cache()
    detector = DETECTORS[_VAD.value] if _SEGMENTS.value else None
    settings = Settings(
        *(_WINDOW.value, _HOP.value, detector, _MODEL.reject, _MAX_SECONDS.value)
    )
    kept = tempfile.TemporaryDirectory()
    with (
        kept,
        exit_with_message(interrupted="interrupted"),
        # Also while a recording is predicted: who stops it does not wait for that.
        ends_at_once(lambda: kept.cleanup() or "nothing that was sent is kept"),
        _listening(_HOST.value, _PORT.value) as listener,
    ):
        bundle = _MODEL.load(report=_print_error)
        _warm_up(bundle, settings, pathlib.Path(kept.name))
        _serve(bundle, settings, listener, pathlib.Path(kept.name))


def _serve(
    bundle: Bundle, settings: Settings, listener: socket.socket, folder: pathlib.Path
) -> None:
    """Answer until a signal comes, which is raised again."""
    import uvicorn

    from dann_jax.serving.app import Limits, make_app

    host, port = listener.getsockname()[:2]
    names = {"localhost", _HOST.value.lower(), socket.gethostname().lower()}
    limits = Limits(_MAX_MEGABYTES.value, _MAX_WAIT.value)
    served = make_app(bundle, settings, limits, folder=folder, names=names)
    if not ipaddress.ip_address(host).is_loopback:
        _log.warning(
            "warning: whoever reaches this machine can send recordings: there is no "
            "password and no encryption"
        )
    name = f"[{host}]" if ":" in host else host
    print(f"ready at http://{name}:{port} (Ctrl-C ends it)", flush=True)
    config = uvicorn.Config(
        served,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run([listener])


def _listening(host: str, port: int) -> socket.socket:
    """A socket at this address, before anything else takes its time.

    Raises:
      ValueError: it cannot be had.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        hint = "something else listens there; --port=0 takes a free one"
        raise ValueError(
            f"cannot listen at {host}, port {port}: {hint if taken else error.strerror}"
        ) from None


def _warm_up(bundle: Bundle, settings: Settings, folder: pathlib.Path) -> None:
    """Compile what most recordings need, by predicting noise."""
    import soundfile

    path, rate = folder / "noise.wav", 16000
    seconds = min(2.5 * settings.window, settings.max_seconds)
    noise = np.random.default_rng(0).normal(0, 0.1, int(seconds * rate))
    soundfile.write(path, noise.clip(-1, 1), rate)
    answer(bundle, path, path.name, settings)


def _check_numbers() -> None:
    """Raise `UsageError` unless the flags that are numbers make sense together."""
    if not SHORTEST <= _HOP.value <= _WINDOW.value <= _MAX_SECONDS.value:
        raise app.UsageError(
            f"{SHORTEST:g} <= hop <= window <= max_seconds must hold; got --hop="
            f"{_HOP.value:g} --window={_WINDOW.value:g} --max_seconds="
            f"{_MAX_SECONDS.value:g}"
        )
    for flag in (_MAX_MEGABYTES, _MAX_SECONDS, _MAX_WAIT):
        if not 0 < flag.value < float("inf"):
            raise app.UsageError(
                f"--{flag.name} must be a number above 0, got {flag.value:g}"
            )


def _print_error(reason: str) -> None:
    print(f"error: {one_line(reason)}", file=sys.stderr)


def run() -> None:
    """Console entry point."""
    command.run(main, _FLAGS, USAGE)


if __name__ == "__main__":
    sys.exit(run())
