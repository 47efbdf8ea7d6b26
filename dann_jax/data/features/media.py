"""Sound that libsndfile cannot decode (m4a, mp4, webm, wma, ...): PyAV or ffmpeg does.

It is decoded to 16 bits into a nameless temporary file, once for all cuts of a file.
"""

import functools
import importlib.util
import itertools
import math
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile
from etils import epath

from dann_jax.data.features.sound_sizes import Unusable

_PATIENCE = 0.5
"""Seconds that the sound may be shorter than its container says."""


class DecodedSound:
    """The sound of a file in a nameless temporary file, gone with this object.

    Attributes:
      file: Wave64 with 16 bits, open for reading.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def __del__(self) -> None:
        self.file.close()


def decode_media(path: epath.Path, name: str) -> DecodedSound:
    """The first stream of sound of a file.

    Args:
      path: of the file.
      name: of its format, for messages.

    Returns:
      The sound, at its beginning; the next call with the same path returns it again.

    Raises:
      Unusable: nothing installed can decode it, it has no sound, or it is damaged.
    """
    status = path.stat()
    decoded = _decoded(os.fspath(path), name, status.length, status.mtime)
    decoded.file.seek(0)
    return decoded


@functools.lru_cache(maxsize=2)
def _decoded(path: str, name: str, size: int, mtime: float) -> DecodedSound:
    del size, mtime  # Another file of the same name is decoded again.
    with tempfile.TemporaryDirectory() as folder:
        wave = os.path.join(folder, "sound.w64")
        source = path
        if "://" in path:
            source = os.path.join(folder, "source")
            epath.Path(path).copy(source)
        decode_to(source, wave, name)
        # Its name goes with the folder; the file stays as long as it is open.
        return DecodedSound(open(wave, "rb"))  # noqa: SIM115


def decode_to(path: str, wave: str, name: str, at_most: float = math.inf) -> None:
    """Write the first stream of sound of a file as Wave64 with 16 bits.

    Args:
      path: of the file.
      wave: to be written.
      name: of the format, for messages.
      at_most: seconds; of a longer file a little more than these are written.

    Raises:
      Unusable: as `decode_media`.
    """
    decode = _decoder()
    if decode is None:
        raise Unusable(
            f"{name} needs a decoder: pip install 'dann_jax[media]' (PyAV), or install "
            f"ffmpeg; or convert it: ffmpeg -i IN.{name} OUT.wav"
        )
    decode(path, wave, at_most)


def _decoder() -> Callable[[str, str, float], None] | None:
    if importlib.util.find_spec("av"):
        return _by_pyav
    return _by_ffmpeg if shutil.which("ffmpeg") else None


def _by_pyav(source: str, wave: str, at_most: float) -> None:
    import av
    from av.error import FFmpegError

    try:
        with av.open(source) as container:
            if not container.streams.audio:
                raise Unusable("holds no sound")
            stream = container.streams.audio[0]
            claimed, unit = None, stream.time_base
            if stream.duration and unit and "mp4" in container.format.name:
                claimed = float(stream.duration * unit)
            elif "matroska" in container.format.name and len(container.streams) == 1:
                claimed = (container.duration or 0) / 1e6
            frames = container.decode(stream)
            seconds = _write(frames, wave, claimed, at_most)
    except FFmpegError as error:
        raise Unusable(f"truncated or damaged: {error.strerror}") from None
    if seconds <= at_most:
        _require_whole(seconds, claimed)


def _write(
    frames: Iterator[Any], wave: str, claimed: float | None, at_most: float
) -> float:
    """Write decoded frames, without what pads the last; their duration in seconds."""
    import av

    first = next(frames, None)
    if first is None:
        raise Unusable("holds no samples")
    rate, channels = first.sample_rate, first.layout.nb_channels
    packed = av.AudioResampler(format="s16", layout=first.layout, rate=rate)
    left = round(claimed * rate) if claimed else None
    with soundfile.SoundFile(wave, "w", rate, channels, "PCM_16", format="W64") as out:
        # Nothing flushes it: it changes the format of samples, not their rate.
        for frame in itertools.chain([first], frames):
            for part in packed.resample(frame):
                samples = np.asarray(part.to_ndarray(), np.int16).reshape(-1, channels)
                out.write(samples if left is None else samples[: left - out.frames])
            if out.frames > at_most * rate:
                break
        return out.frames / rate


def _by_ffmpeg(source: str, wave: str, at_most: float) -> None:
    most = [] if at_most == math.inf else ["-t", f"{at_most + 1:g}"]
    ended = subprocess.run(
        [
            *("ffmpeg", "-nostdin", "-nostats", "-xerror", "-i", source),
            *("-map", "0:a:0", "-c:a", "pcm_s16le", *most, "-f", "w64", wave),
        ],
        capture_output=True,
        text=True,
        errors="replace",
    )
    said = ended.stderr
    if "matches no streams" in said:
        raise Unusable("holds no sound")
    if ended.returncode:
        named = re.search(r"code:? -\d+ \(([^()]+)\)", said)
        last = said.strip().rpartition("\n")[2].rpartition(": ")[2]
        raise Unusable(f"truncated or damaged: {named[1] if named else last}")
    if (seconds := soundfile.info(wave).duration) <= at_most:
        _require_whole(seconds, _claimed_by(said))


def _claimed_by(said: str) -> float | None:
    """Seconds that ffmpeg found in the container of a single stream, not estimated."""
    about_input = said.partition("Stream mapping")[0]
    duration = re.search(r"Duration: (\d+):(\d+):([\d.]+)", about_input)
    estimated = "Estimating duration" in said or about_input.count("Stream #0:") != 1
    if not duration or estimated:
        return None
    hours, minutes, seconds = map(float, duration.groups())
    return 3600 * hours + 60 * minutes + seconds


def _require_whole(seconds: float, claimed: float | None) -> None:
    if claimed and seconds < claimed - _PATIENCE:
        raise Unusable(
            f"truncated: its header claims {claimed:.1f} s of sound, {seconds:.1f} s "
            f"could be read"
        )
