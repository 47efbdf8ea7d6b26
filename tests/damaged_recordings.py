"""Recordings for tests: sound ones, and every way to spoil one."""

import io
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import soundfile

RATE = 16000
SECONDS = (0.2, 0.7, 2.0)
NAMES = (
    *("plain", "with space", "new\nline", "tab\t", "naïve", "日本語", "🙂", "-dash"),
    *("quote'\"", "comma,semi;", "percent%20", "back\\slash", "a" * 200, "#hash", "*?"),
)
"""Stems that a file may well have."""


def voice(seconds: float, seed: int) -> np.ndarray:
    """Something like a voice: harmonics that come and go; float32 `[n]`."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    pitch = rng.uniform(90, 300)
    tones = [np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 6)]
    noise = rng.normal(size=len(time))
    return np.float32(0.1 * np.sum(tones, 0) + 0.01 * noise)


def write_voice(path: pathlib.Path, seconds: float, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(seconds, seed), RATE)


def _bytes(seconds: float, suffix: str = ".wav") -> bytearray:
    file = io.BytesIO()
    subtype = "FLOAT" if suffix == ".float" else None
    kind = {".float": "WAV"}.get(suffix, suffix[1:].upper())
    soundfile.write(file, voice(seconds, 0), RATE, format=kind, subtype=subtype)
    return bytearray(file.getvalue())


def _cut(share: float, suffix: str) -> Callable[[pathlib.Path, float], None]:
    def spoil(path: pathlib.Path, seconds: float) -> None:
        whole = _bytes(seconds, suffix)
        path.write_bytes(whole[: int(len(whole) * share)])

    return spoil


def _with_value(value: float) -> Callable[[pathlib.Path, float], None]:
    def spoil(path: pathlib.Path, seconds: float) -> None:
        samples = voice(seconds, 0)
        samples[len(samples) // 2] = value
        soundfile.write(path, samples, RATE, subtype="FLOAT", format="WAV")

    return spoil


def _claiming(offset: int, claim: bytes) -> Callable[[pathlib.Path, float], None]:
    def spoil(path: pathlib.Path, seconds: float) -> None:
        whole = _bytes(seconds)
        whole[offset : offset + len(claim)] = claim
        path.write_bytes(whole)

    return spoil


def _wrong_header(path: pathlib.Path, seconds: float) -> None:
    path.write_bytes(b"JUNK" + _bytes(seconds)[4:])


def _claims_hours(path: pathlib.Path, seconds: float) -> None:
    whole = _bytes(seconds, ".flac")
    # STREAMINFO: the low 32 bits of the number of samples.
    whole[22:26] = b"\xff\xff\xff\xf0"
    path.write_bytes(whole)


def _noise(path: pathlib.Path, seconds: float) -> None:
    rng = np.random.default_rng(round(seconds * 10))
    path.write_bytes(rng.integers(0, 256, round(seconds * RATE), np.uint8).tobytes())


def _no_samples(path: pathlib.Path, seconds: float) -> None:
    soundfile.write(path, np.zeros(0, np.float32), RATE, format="WAV")


def _loop(path: pathlib.Path, seconds: float) -> None:
    path.symlink_to(path.name)


def _long_loop(path: pathlib.Path, seconds: float) -> None:
    other = path.with_name(path.name + ".other")
    other.symlink_to(path.name)
    path.symlink_to(other.name)


SPOIL: dict[str, Callable[[pathlib.Path, float], None]] = {
    "empty": lambda path, seconds: path.write_bytes(b""),
    "one_byte": lambda path, seconds: path.write_bytes(b"R"),
    "header_alone": lambda path, seconds: path.write_bytes(_bytes(seconds)[:44]),
    "half_header": lambda path, seconds: path.write_bytes(_bytes(seconds)[:20]),
    "wrong_header": _wrong_header,
    "truncated_wav": _cut(0.5, ".wav"),
    "nearly_whole_wav": _cut(0.9, ".wav"),
    "truncated_flac": _cut(0.5, ".flac"),
    "stump_of_flac": _cut(0.1, ".flac"),
    "nan": _with_value(np.nan),
    "infinite": _with_value(-np.inf),
    "no_samples": _no_samples,
    "claims_2_gb": _claiming(40, b"\xf0\xff\xff\x7e"),
    "claims_hours": _claims_hours,
    "claims_0_channels": _claiming(22, b"\x00\x00"),
    "claims_65535_channels": _claiming(22, b"\xff\xff"),
    "claims_0_hz": _claiming(24, b"\x00\x00\x00\x00"),
    "noise": _noise,
    "text": lambda path, seconds: path.write_text("not a sound\n" * 99),
    "zip": lambda path, seconds: path.write_bytes(b"PK\3\4" + bytes(200)),
    "folder": lambda path, seconds: path.mkdir(),
    "absent": lambda path, seconds: None,
    "points_nowhere": lambda path, seconds: path.symlink_to("nowhere.wav"),
    "points_to_itself": _loop,
    "points_in_a_circle": _long_loop,
}
"""What it is -> how to make it at a path; the seconds say how large."""


def columns_of(files: Sequence[str]) -> dict[str, np.ndarray]:
    """A manifest of these files."""
    return {
        "utt_id": np.array([f"u{n:05d}" for n in range(len(files))]),
        "file": np.array(files),
        "speaker": np.array([f"s{n % 3}" for n in range(len(files))]),
        "emotion": np.array([("anger", "sadness")[n % 2] for n in range(len(files))]),
    }


def mixed_folder(
    root: pathlib.Path, *, sound: int, spoilt: int
) -> tuple[list[str], list[str]]:
    """Sound files of odd names and spoilt ones of every kind; the names of both."""
    folder = root / "audio"
    folder.mkdir(parents=True)
    good = [f"audio/{NAMES[n % len(NAMES)]}{n}.wav" for n in range(sound)]
    for number, name in enumerate(good):
        write_voice(root / name, SECONDS[number % len(SECONDS)], seed=number)
    bad = []
    for number, (kind, seconds) in zip(range(spoilt), _kinds(), strict=False):
        bad.append(f"audio/{kind}{number}{os.extsep}wav")
        SPOIL[kind](root / bad[-1], seconds)
    return good, bad


def _kinds() -> Iterator[tuple[str, float]]:
    while True:
        for seconds in SECONDS:
            for kind in SPOIL:
                yield kind, seconds
