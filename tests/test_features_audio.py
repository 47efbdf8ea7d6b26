"""Reading audio: every format gives the same sound, every bad file a plain sentence."""

import contextlib
import pathlib
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile

from dann_jax.data.features import sound_files
from dann_jax.data.features.audio import AudioError, read_audio

LOSSLESS = [
    ("wav", "PCM_16"),
    ("wav", "PCM_24"),
    ("wav", "FLOAT"),
    ("wav", "DOUBLE"),
    ("flac", "PCM_16"),
    ("aiff", "PCM_16"),
]
LOSSY = [("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III"), ("wav", "ULAW")]


def tone(
    hertz: float = 440, *, rate: int = 16000, seconds: float = 1.0, peak: float = 0.5
) -> np.ndarray:
    return peak * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def write(path: pathlib.Path, samples: np.ndarray, rate: int = 16000, **kwargs) -> str:
    soundfile.write(path, samples, rate, **kwargs)
    return str(path)


@pytest.mark.parametrize(("suffix", "subtype"), LOSSLESS + LOSSY)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_rate_and_channel_count_gives_the_same_sound(
    tmp_path: pathlib.Path, suffix: str, subtype: str, rate: int, channels: int
) -> None:
    samples = np.repeat(tone(rate=rate)[:, None], channels, 1)
    path = write(tmp_path / f"a.{suffix}", samples, rate, subtype=subtype)
    recording = read_audio(path, sample_rate=16000)
    assert recording.samples.dtype == np.float32
    assert recording.samples.shape == (16000,)
    assert recording.sample_rate == 16000
    assert recording.duration == 1.0
    assert recording.problems == ()
    middle = slice(2000, -2000)
    likeness = np.corrcoef(recording.samples[middle], tone()[middle])[0, 1]
    assert likeness > (0.99 if (suffix, subtype) in LOSSY else 0.99999)


def test_channels_are_averaged(tmp_path: pathlib.Path) -> None:
    one, other = tone(440), tone(1000)
    path = write(
        tmp_path / "a.wav", np.column_stack([one, other, -one]), subtype="FLOAT"
    )
    samples = read_audio(path, sample_rate=16000).samples
    np.testing.assert_allclose(samples, other / 3, atol=1e-6)


def test_resampling_removes_what_the_new_rate_cannot_hold(
    tmp_path: pathlib.Path,
) -> None:
    both = tone(7000, rate=44100, peak=0.4) + tone(1000, rate=44100)
    path = write(tmp_path / "a.wav", both, 44100)
    samples = read_audio(path, sample_rate=8000).samples
    middle = slice(500, -500)
    error = samples[middle] - tone(1000, rate=8000)[middle]
    assert np.abs(error).max() < 1e-3


def test_a_cut_is_a_slice_of_the_whole(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "a.flac", np.random.default_rng(0).normal(0, 0.1, 32000))
    whole = read_audio(path, sample_rate=16000).samples
    cut = read_audio(path, sample_rate=16000, start=0.25, end=1.5)
    np.testing.assert_array_equal(cut.samples, whole[4000:24000])
    assert cut.duration == 1.25
    alone = read_audio(write(tmp_path / "cut.wav", cut.samples), sample_rate=16000)
    assert cut.audio_hash == alone.audio_hash


def test_an_end_that_was_rounded_up_is_the_end(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "a.wav", tone())
    assert read_audio(path, sample_rate=16000, end=1.01).duration == 1.0


def test_blocks_do_not_show(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.wav", np.column_stack([tone(), tone(300)]))
    whole = read_audio(path, sample_rate=16000)
    monkeypatch.setattr(sound_files, "_BLOCK", 999)
    parts = read_audio(path, sample_rate=16000)
    np.testing.assert_array_equal(parts.samples, whole.samples)
    assert parts.audio_hash == whole.audio_hash


def test_the_hash_is_of_the_sound_not_of_the_file(tmp_path: pathlib.Path) -> None:
    samples = np.random.default_rng(1).integers(-9000, 9000, 8000) / 32768
    hashes = {
        read_audio(
            write(tmp_path / f"{subtype}.{suffix}", samples, subtype=subtype),
            sample_rate=rate,
        ).audio_hash
        for suffix, subtype in LOSSLESS
        for rate in (8000, 16000)
    }
    assert len(hashes) == 1
    samples[17] += 1 / 32768
    other = write(tmp_path / "other.wav", samples)
    assert read_audio(other, sample_rate=16000).audio_hash not in hashes


@pytest.mark.parametrize(
    ("samples", "problems"),
    [
        (tone(), ()),
        (tone(peak=1.0), ("clipped",)),
        (np.clip(tone(peak=2.0), -1, 1), ("clipped",)),
        (np.r_[tone(), 1.0], ()),
        (tone(peak=0.0009), ("silent",)),
        (tone(peak=0.0011), ()),
        (0.3 + np.zeros(16000), ("silent",)),
        (tone(seconds=0.09), ("short",)),
        (tone(seconds=0.1), ()),
        (np.zeros(1), ("silent", "short")),
        (tone(seconds=61), ("long",)),
    ],
)
def test_problems_are_named(
    tmp_path: pathlib.Path, samples: np.ndarray, problems: tuple[str, ...]
) -> None:
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert read_audio(path, sample_rate=16000).problems == problems


def test_a_clipped_channel_is_found_beside_a_clean_one(tmp_path: pathlib.Path) -> None:
    stereo = np.column_stack([np.clip(tone(peak=2.0), -1, 1), np.zeros(16000)])
    path = write(tmp_path / "a.wav", stereo)
    assert read_audio(path, sample_rate=16000).problems == ("clipped",)


def test_limits_are_arguments(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "a.wav", tone())
    assert read_audio(path, sample_rate=16000, short=1.5).problems == ("short",)
    assert read_audio(path, sample_rate=16000, long=0.5).problems == ("long",)


def test_samples_stay_in_range(tmp_path: pathlib.Path) -> None:
    square = np.sign(tone(200, rate=44100)) * 1.5
    path = write(tmp_path / "a.wav", square, 44100, subtype="FLOAT")
    samples = read_audio(path, sample_rate=16000).samples
    assert np.abs(samples).max() <= 1


def with_header(samples: np.ndarray, path: pathlib.Path, size: int) -> bytes:
    """A wav whose header claims another number of bytes."""
    content = bytearray(pathlib.Path(write(path, samples)).read_bytes())
    struct.pack_into("<I", content, 40, size)
    return bytes(content)


def bad_files(folder: pathlib.Path) -> dict[str, bytes]:
    made = {name: folder / f"good.{name}" for name in ("wav", "flac", "ogg", "mp3")}
    good = {
        name: pathlib.Path(write(path, tone())).read_bytes()
        for name, path in made.items()
    }
    return {
        "empty": b"",
        "text": b"hello there " * 99,
        "riff": b"RIFF",
        "zeros": bytes(5000),
        "half wav": good["wav"][:16000],
        "half flac": good["flac"][: len(good["flac"]) // 2],
        "half ogg": good["ogg"][: len(good["ogg"]) // 2],
        "half mp3": good["mp3"][: len(good["mp3"]) // 2],
        "header only": good["wav"][:44],
        "claims": with_header(tone(), folder / "claims.wav", 2**30)[:1000],
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", r"the file is empty \(0 bytes\)"),
        ("text", "is not audio"),
        ("riff", "is not audio"),
        ("zeros", "is not audio"),
        ("half wav", "truncated: its header claims 32000 bytes .* holds 15956"),
        ("half flac", "truncated"),
        ("half ogg", "damaged"),
        ("half mp3", "truncated or damaged: 16000 samples are claimed"),
        ("header only", "truncated: .* holds 0"),
        ("claims", "truncated: its header claims 1073741824 bytes"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_reason(
    tmp_path: pathlib.Path, name: str, reason: str
) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(bad_files(tmp_path)[name])
    with pytest.raises(AudioError, match=f"bad.wav: .*{reason}"):
        read_audio(path, sample_rate=16000)


def test_what_is_no_file_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(AudioError, match=r"a\.wav: there is no such file"):
        read_audio(tmp_path / "a.wav", sample_rate=16000)
    with pytest.raises(AudioError, match="is a folder, not an audio file"):
        read_audio(tmp_path, sample_rate=16000)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0), "holds no samples"),
        (np.r_[tone(), np.nan], "NaN or infinite"),
        (np.r_[np.inf, tone()], "NaN or infinite"),
        (20000 * tone(), "samples of 10000, full scale is 1"),
    ],
)
def test_samples_that_are_no_sound_are_refused(
    tmp_path: pathlib.Path, samples: np.ndarray, reason: str
) -> None:
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(AudioError, match=reason):
        read_audio(path, sample_rate=16000)


@pytest.mark.parametrize(
    ("start", "end"), [(-0.1, 0.5), (0.5, 0.5), (0.6, 0.5), (0.0, 1.1), (1.0, 1.02)]
)
def test_a_cut_outside_of_the_file_is_refused(
    tmp_path: pathlib.Path, start: float, end: float
) -> None:
    path = write(tmp_path / "a.wav", tone())
    with pytest.raises(AudioError, match="lies outside of the file, which lasts 1 s"):
        read_audio(path, sample_rate=16000, start=start, end=end)


def test_a_header_that_lies_takes_no_memory(tmp_path: pathlib.Path) -> None:
    flac = bytearray(pathlib.Path(write(tmp_path / "a.flac", tone())).read_bytes())
    flac[21] |= 0x0F  # The high bits of the 36 that count the samples.
    path = tmp_path / "claims.flac"
    path.write_bytes(flac)
    assert soundfile.info(path).frames > 2**35
    tracemalloc.start()
    with pytest.raises(AudioError, match="truncated or damaged"):
        read_audio(path, sample_rate=16000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_that_was_streamed_is_read_to_its_end(
    tmp_path: pathlib.Path, size: int
) -> None:
    path = tmp_path / "streamed.wav"
    path.write_bytes(with_header(tone(), tmp_path / "a.wav", size))
    assert read_audio(path, sample_rate=16000).samples.shape == (16000,)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_damage_anywhere_gives_samples_or_an_audio_error(
    tmp_path: pathlib.Path, suffix: str
) -> None:
    noise = np.random.default_rng(2)
    content = pathlib.Path(
        write(tmp_path / f"a.{suffix}", tone(seconds=0.2))
    ).read_bytes()
    path = tmp_path / f"bad.{suffix}"
    for _ in range(60):
        damaged = bytearray(content[: noise.integers(1, len(content) + 1)])
        for place in noise.integers(0, min(len(damaged), 200), noise.integers(0, 4)):
            damaged[place] = noise.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(AudioError):
            assert np.isfinite(read_audio(path, sample_rate=16000).samples).all()
