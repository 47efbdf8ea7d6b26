"""Files are read whole or refused, whatever their header says of their size."""

import logging
import pathlib
import struct

import numpy as np
import pytest
import soundfile

from dann_jax.data.features.audio import AudioError, read_audio, sound_duration

RATE = 8000
SAMPLES = np.random.default_rng(0).normal(0, 3000, RATE).clip(-2e4, 2e4).astype("<i2")
PCM = SAMPLES.tobytes()
FMT = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
MEASURED = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "FLAC", "OGG")
NOT_WRITTEN = ("MPEG_LAYER_I", "MPEG_LAYER_II")
ENCODINGS = [
    (kind, subtype)
    for kind in (*MEASURED, "MP3", "SVX", "WVE", "HTK")
    for subtype in soundfile.available_subtypes(kind)
    # libsndfile names these, but cannot write or read them back.
    if not subtype.startswith("DWVW")
    and subtype not in NOT_WRITTEN
    and (kind, subtype) != ("WAV", "MPEG_LAYER_III")
]


def read(path: pathlib.Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return read_audio(path, sample_rate=RATE).samples


def wav(size: int, before: bytes = b"", after: bytes = b"", riff: int = 36) -> bytes:
    chunks = FMT + before + b"data" + struct.pack("<I", size) + PCM + after
    return b"RIFF" + struct.pack("<I", riff) + b"WAVE" + chunks


def rf64(magic: bytes, size: int, whole: int = 0) -> bytes:
    wide = b"ds64" + struct.pack("<IQQQI", 28, whole, size, 0, 0)
    return magic + b"\xff" * 4 + b"WAVE" + wide + FMT + b"data" + b"\xff" * 4 + PCM


def wave64(size: int) -> bytes:
    rest = bytes.fromhex("f3acd3118cd100c04f8edb8a")
    riff = bytes.fromhex("726966662e91cf11a5d628db04c10000")
    return (
        *(riff, struct.pack("<Q", 2**64 - 1), b"wave", rest),
        *(b"fmt ", rest, struct.pack("<Q", 40), FMT[8:]),
        *(b"data", rest, struct.pack("<Q", size), PCM),
    )


def au(size: int) -> bytes:
    header = b".snd" + struct.pack(">5I", 24, size, 3, RATE, 1)
    return header + SAMPLES.astype(">i2").tobytes()


PLACEHOLDERS = [0, 2**31, 2**31 - 1, 2**31 - 37, 2**31 - 4096, 2**31 - 65536]
PLACEHOLDERS += [2**31 + 36, 2**32 - 1, 2**32 - 37, 2**32 - 44, 0x7F000008]
ODD = {
    "padded": b"LIST" + struct.pack("<I", 11) + b"INFOabcdefg\0",
    "not padded": b"LIST" + struct.pack("<I", 11) + b"INFOabcdefg",
    "JUNK": b"JUNK" + struct.pack("<I", 5) + b"abcde\0",
}


@pytest.mark.parametrize("size", PLACEHOLDERS)
@pytest.mark.parametrize("before", [b"", *ODD.values()], ids=["plain", *ODD])
def test_a_size_that_no_recorder_could_know_is_that_of_the_rest(
    tmp_path: pathlib.Path, size: int, before: bytes
) -> None:
    for content in (wav(size, before), au(size)):
        found = read(tmp_path / "a", content)
        np.testing.assert_array_equal(found * 32768, SAMPLES)


@pytest.mark.parametrize("size", [0, 24, *(2**n - k for n in (63, 64) for k in (1, 9))])
def test_wide_sizes_that_were_never_filled_in(
    tmp_path: pathlib.Path, size: int
) -> None:
    for content in (rf64(b"RF64", size % 2**64 if size != 24 else 0), wave64(size)):
        content = b"".join(content) if isinstance(content, tuple) else content
        np.testing.assert_array_equal(read(tmp_path / "a", content) * 32768, SAMPLES)


@pytest.mark.parametrize("before", [b"", *ODD.values()], ids=["plain", *ODD])
@pytest.mark.parametrize("after", [b"", ODD["padded"], ODD["JUNK"]])
def test_chunks_around_the_sound_are_no_sound(
    tmp_path: pathlib.Path, before: bytes, after: bytes
) -> None:
    found = read(tmp_path / "a.wav", wav(len(PCM), before, after))
    np.testing.assert_array_equal(found * 32768, SAMPLES)


def test_a_broadcast_file_is_a_wav_with_wide_sizes(tmp_path: pathlib.Path) -> None:
    found = read(tmp_path / "a.wav", rf64(b"BW64", len(PCM)))
    np.testing.assert_array_equal(found * 32768, SAMPLES)


def test_an_empty_chunk_of_data_before_others_holds_no_samples(
    tmp_path: pathlib.Path,
) -> None:
    chunks = FMT + b"data" + bytes(4) + ODD["padded"]
    content = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks
    with pytest.raises(AudioError, match="holds no samples"):
        read(tmp_path / "a.wav", content)


def test_sound_behind_what_the_header_claims_is_told(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(read(tmp_path / "a.wav", wav(100))) == 50
    assert "claims 100 bytes of sound" in caplog.text


@pytest.mark.parametrize("claim", [len(PCM) + 2, 10 * len(PCM), 2**30, 3 * 2**30])
def test_a_size_that_can_be_true_is_believed(
    tmp_path: pathlib.Path, claim: int
) -> None:
    half = b"".join(wave64(claim + 24))
    for content in (wav(claim), au(claim), rf64(b"RF64", claim), half):
        with pytest.raises(AudioError, match=rf"truncated.* {claim} bytes .* 16000"):
            read(tmp_path / "a", content)


@pytest.mark.parametrize(("kind", "subtype"), ENCODINGS)
def test_every_encoding_is_read_whole_or_refused(
    tmp_path: pathlib.Path, kind: str, subtype: str
) -> None:
    path = tmp_path / "whole"
    soundfile.write(path, SAMPLES / 32768, RATE, format=kind, subtype=subtype)
    whole = path.read_bytes()
    seconds = len(read(path, whole)) / RATE
    assert 1 <= seconds < 1.2
    assert sound_duration(path) == pytest.approx(seconds)
    for share in (0.2, 0.5, 0.7, 0.9, 0.98):
        with pytest.raises(AudioError):
            read(tmp_path / "cut", whole[: int(share * len(whole))])


@pytest.mark.parametrize("kind", ["IRCAM", "PAF", "SDS", "VOC"])
def test_what_cannot_tell_its_length_is_refused_with_a_way_out(
    tmp_path: pathlib.Path, kind: str
) -> None:
    soundfile.write(tmp_path / "a", SAMPLES, RATE, format=kind, subtype="PCM_16")
    with pytest.raises(AudioError, match="convert it to wav or flac"):
        read_audio(tmp_path / "a", sample_rate=RATE)


def test_an_ogg_file_that_ends_between_two_pages_is_truncated(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "a.ogg"
    long = np.tile(SAMPLES, 30)
    soundfile.write(path, long, RATE, format="OGG", subtype="OPUS")
    whole = path.read_bytes()
    assert len(read(path, whole)) == len(long)
    places = [n for n in range(len(whole)) if whole.startswith(b"OggS\0", n)]
    assert len(places) > 4
    for place in places[2:]:
        with pytest.raises(AudioError, match="truncated|damaged"):
            read(tmp_path / "b.ogg", whole[:place])


def test_a_flac_that_was_streamed_is_read_to_its_end(tmp_path: pathlib.Path) -> None:
    soundfile.write(tmp_path / "a.flac", SAMPLES, RATE)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    found = read(tmp_path / "b.flac", bytes(content))
    np.testing.assert_array_equal(found * 32768, SAMPLES)
    assert sound_duration(tmp_path / "b.flac") == 1.0
    cut = read_audio(tmp_path / "b.flac", sample_rate=RATE, start=0.25, end=0.5)
    np.testing.assert_array_equal(cut.samples * 32768, SAMPLES[2000:4000])
    with pytest.raises(AudioError, match="truncated"):
        read(tmp_path / "c.flac", bytes(content[:6000]))


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_16"])
def test_a_cut_of_what_cannot_be_sought_in_is_that_of_the_whole(
    tmp_path: pathlib.Path, subtype: str
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, SAMPLES, RATE, subtype=subtype)
    whole = read_audio(path, sample_rate=RATE).samples
    cut = read_audio(path, sample_rate=RATE, start=0.25, end=0.75).samples
    np.testing.assert_array_equal(cut, whole[2000:6000])


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 48000])
def test_a_long_recording_off_memory_is_what_it_is_in_memory(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    from dann_jax.data.features import long_sound, sound_files

    soundfile.write(tmp_path / "a.wav", SAMPLES, rate)
    monkeypatch.setattr(sound_files, "_BLOCK", 777)
    monkeypatch.setattr(long_sound, "LONGEST", 1000)
    kept = read_audio(tmp_path / "a.wav", sample_rate=16000)
    stored = read_audio(tmp_path / "a.wav", sample_rate=16000, in_memory=False)
    assert isinstance(stored.samples, long_sound.StoredSamples)
    np.testing.assert_array_equal(np.asarray(stored.samples), kept.samples)
    np.testing.assert_array_equal(stored.samples[300:-5:2], kept.samples[300:-5:2])
    assert stored.samples.shape == kept.samples.shape
    assert stored[1:] == kept[1:]
