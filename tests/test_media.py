"""Sound that libsndfile cannot decode: decoded by what is installed, or refused."""

import fractions
import pathlib

import numpy as np
import pytest
import soundfile
from damaged_recordings import RATE, voice

from dann_jax.data.features import media
from dann_jax.data.features.audio import AudioError, read_audio


def write_media(path: pathlib.Path, seconds: float = 2.0) -> np.ndarray:
    """A voice as AAC in an mp4, or as Opus in a webm; the samples that went in."""
    av = pytest.importorskip("av", reason="needs pip install 'dann_jax[media]'")
    samples = voice(seconds, seed=0)
    codec = {".webm": "libopus"}.get(path.suffix, "aac")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate, frame.time_base = RATE, fractions.Fraction(1, RATE)
        frame.pts = 0
        packed = av.AudioResampler(format=stream.format, layout="mono", rate=RATE)
        frames = [*packed.resample(frame), *packed.resample(None)]
        for one in [*frames, None]:
            container.mux(stream.encode(one))
    return samples


@pytest.mark.parametrize("suffix", [".m4a", ".webm"])
def test_it_is_read_as_the_sound_that_went_in(
    tmp_path: pathlib.Path, suffix: str
) -> None:
    samples = write_media(tmp_path / f"talk{suffix}")
    read = read_audio(tmp_path / f"talk{suffix}", sample_rate=RATE)
    assert read.duration == pytest.approx(2.0, abs=0.03)
    count = min(len(samples), len(read.samples))
    assert np.corrcoef(samples[:count], read.samples[:count])[0, 1] > 0.95


def test_a_cut_is_that_of_the_whole_and_the_file_is_decoded_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "talk.mp4"
    write_media(path)
    calls = []
    decode = media._by_pyav
    monkeypatch.setattr(
        media, "_by_pyav", lambda *names: (calls.append(names), decode(*names))
    )
    whole = read_audio(path, sample_rate=RATE).samples
    for start in (0.0, 0.5, 1.0):
        cut = read_audio(path, sample_rate=RATE, start=start, end=start + 0.5).samples
        first = round(start * RATE)
        np.testing.assert_array_equal(cut, whole[first : first + RATE // 2])
    assert len(calls) == 1
    write_media(path, seconds=1.0)
    assert read_audio(path, sample_rate=RATE).duration == pytest.approx(1.0, abs=0.03)


def test_what_it_holds_counts_and_not_what_it_is_called(tmp_path: pathlib.Path) -> None:
    write_media(tmp_path / "talk.m4a")
    (tmp_path / "talk.m4a").rename(tmp_path / "talk.wav")
    soundfile.write(tmp_path / "wave.wav", voice(1.0, 1), RATE)
    (tmp_path / "wave.wav").rename(tmp_path / "wave.m4a")
    durations = [
        read_audio(tmp_path / name, sample_rate=RATE).duration
        for name in ("talk.wav", "wave.m4a")
    ]
    assert durations == pytest.approx([2.0, 1.0], abs=0.03)


@pytest.mark.parametrize("suffix", [".m4a", ".webm"])
def test_a_truncated_file_is_refused(tmp_path: pathlib.Path, suffix: str) -> None:
    path = tmp_path / f"talk{suffix}"
    write_media(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(AudioError, match="truncated"):
        read_audio(path, sample_rate=RATE)


def test_text_of_such_a_name_is_refused(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("av", reason="needs pip install 'dann_jax[media]'")
    (tmp_path / "talk.m4a").write_text("no sound\n" * 99)
    with pytest.raises(AudioError, match="damaged: Invalid data"):
        read_audio(tmp_path / "talk.m4a", sample_rate=RATE)


def test_without_a_decoder_it_says_what_to_do(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "_decoder", lambda: None)
    (tmp_path / "talk.m4a").write_bytes(b"\0\0\0 ftypM4A ")
    with pytest.raises(AudioError) as refusal:
        read_audio(tmp_path / "talk.m4a", sample_rate=RATE)
    assert "pip install 'dann_jax[media]'" in str(refusal.value)
    assert "ffmpeg -i IN.m4a OUT.wav" in str(refusal.value)


def test_ffmpeg_says_how_long_the_sound_of_a_container_is() -> None:
    head = (
        "Input #0, matroska\n  Duration: 00:01:03.31, start: 0.0\n  Stream #0:0: Audio"
    )
    assert media._claimed_by(f"{head}\nStream mapping:\n  Stream #0:0") == 63.31
    assert media._claimed_by(f"{head}\n  Stream #0:1: Video\nStream mapping:") is None
    assert media._claimed_by(f"Estimating duration from bitrate\n{head}") is None
