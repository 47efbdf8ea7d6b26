"""Sound that libsndfile cannot decode (m4a, mp4, webm, wma, ...): PyAV or ffmpeg does.

It is decoded to 16 bits into a nameless temporary file, once for all cuts of a file.
"""

import functools
import importlib.util
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from typing import IO

import soundfile
from etils import epath

from dann_jax.data.features.sound_sizes import Unusable

_PATIENCE = 0.5
"""Seconds that the sound may be shorter than its container says."""


def decode_media(path: epath.Path, name: str) -> IO[bytes]:
    """The first stream of sound of a file as Wave64 with 16 bits, at its beginning.

    Args:
      path: of the file.
      name: of its format, for messages.

    Returns:
      An open file, which the next call with the same path returns again.

    Raises:
      Unusable: nothing installed can decode it, it has no sound, or it is damaged.
    """
    status = path.stat()
    file = _decoded(os.fspath(path), name, status.length, status.mtime)
    file.seek(0)
    return file


@functools.lru_cache(maxsize=2)
def _decoded(path: str, name: str, size: int, mtime: float) -> IO[bytes]:
    del size, mtime  # Another file of the same name is decoded again.
    decode = _decoder()
    if decode is None:
        raise Unusable(
            f"{name} needs a decoder: pip install 'dann_jax[media]' (PyAV), or install "
            f"ffmpeg; or convert it: ffmpeg -i IN.{name} OUT.wav"
        )
    with tempfile.TemporaryDirectory() as folder:
        wave = os.path.join(folder, "sound.w64")
        source = path
        if "://" in path:
            source = os.path.join(folder, "source")
            epath.Path(path).copy(source)
        decode(source, wave)
        # Its name goes with the folder; the file stays as long as it is open.
        return open(wave, "rb")  # noqa: SIM115


def _decoder() -> Callable[[str, str], None] | None:
    if importlib.util.find_spec("av"):
        return _by_pyav
    return _by_ffmpeg if shutil.which("ffmpeg") else None


def _by_pyav(source: str, wave: str) -> None:
    import av

    try:
        with av.open(source) as container:
            if not container.streams.audio:
                raise Unusable("holds no sound")
            stream = container.streams.audio[0]
            alone = len(container.streams) == 1
            claimed = _claimed_seconds(container, stream, alone)
            seconds = _write(container.decode(stream), wave)
    except av.FFmpegError as error:
        raise Unusable(f"truncated or damaged: {error.strerror}") from None
    if claimed and seconds < claimed - _PATIENCE:
        raise Unusable(
            f"truncated: its header claims {claimed:.1f} s of sound, {seconds:.1f} s "
            f"could be read"
        )


def _claimed_seconds(container, stream, alone: bool) -> float | None:
    """By the container; None where it has no such number, or only an estimate."""
    if stream.duration and "mp4" in container.format.name:
        return float(stream.duration * stream.time_base)
    if container.duration and alone and "matroska" in container.format.name:
        return container.duration / 1e6
    return None


def _write(frames, wave: str) -> float:
    """Write decoded frames; their duration in seconds."""
    import av

    first = next(frames, None)
    if first is None:
        raise Unusable("holds no samples")
    rate, channels = first.sample_rate, first.layout.nb_channels
    packed = av.AudioResampler(format="s16", layout=first.layout, rate=rate)
    with soundfile.SoundFile(wave, "w", rate, channels, "PCM_16", format="W64") as out:
        # Nothing flushes it: it changes the format of samples, not their rate.
        for frame in itertools.chain([first], frames):
            for part in packed.resample(frame):
                out.write(part.to_ndarray().reshape(-1, channels))
        return out.frames / rate


def _by_ffmpeg(source: str, wave: str) -> None:
    ended = subprocess.run(
        [
            *("ffmpeg", "-nostdin", "-v", "error", "-xerror", "-i", source),
            *("-map", "0:a:0", "-c:a", "pcm_s16le", "-f", "w64", wave),
        ],
        capture_output=True,
        text=True,
        errors="replace",
    )
    if ended.returncode:
        line = (ended.stderr.strip().splitlines() or ["unknown error"])[-1]
        reason = line.removeprefix(f"{source}: ")
        if "matches no streams" in ended.stderr:
            raise Unusable("holds no sound")
        raise Unusable(f"truncated or damaged: {reason}")
