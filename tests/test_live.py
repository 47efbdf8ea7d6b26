"""Sound that comes is cut as a recording is; speech is found where it is."""

import io
import logging
import pathlib

import numpy as np
import pytest

from dann_jax.bundle.live import Stream, live_windows
from dann_jax.bundle.recordings import windows
from dann_jax.cli.predict_source import Source
from dann_jax.cli.standard_input import open_head
from dann_jax.data.features.speech import RATE, STEP, by_energy, join_steps


@pytest.mark.parametrize("count", [300, 1000, 2500, 3000, 9990])
@pytest.mark.parametrize(("window", "hop"), [(1.0, 1.0), (1.0, 0.3), (3.0, 0.1)])
def test_a_stream_has_the_windows_of_its_recording(
    count: int, window: float, hop: float
) -> None:
    sound = np.arange(count, dtype=np.int16)
    place = [0]

    def sliced(number: int) -> np.ndarray:
        place[0] += number
        return sound[place[0] - number : place[0]]

    cuts = list(live_windows(Stream(sliced, 1000), window=window, hop=hop))
    expected = list(windows(count / 1000, window, hop))
    np.testing.assert_allclose([cut.start for cut in cuts], [a for a, _ in expected])
    for cut, (start, end) in zip(cuts, expected, strict=True):
        first, last = round(start * 1000), round(end * 1000)
        np.testing.assert_array_equal(cut.samples, sound[first:last])


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "wave"),
        (np.zeros(99, "<i2").tobytes(), "raw"),
        (b"fLaC\0\0\0\x22\0\0\0\0", "file"),
        (b"one.wav\ntwo.wav\n", "list"),
        ("bär.wav\n".encode("latin-1"), "list"),
        (b"", "list"),
    ],
)
def test_standard_input_is_told_by_its_first_bytes(head: bytes, kind: str) -> None:
    found = open_head(io.BufferedReader(io.BytesIO(head)))
    assert found.kind == kind
    assert found.file.read() == head


def test_what_is_read_to_its_end_is_told_of(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dann_jax")
    content = b"fLaC" + bytes(40)
    source = Source(["-"], False, None, None, None)
    head = open_head(io.BufferedReader(io.BytesIO(content)))
    assert not source.is_live(head)
    (clip,) = source.clips(head, str(tmp_path), lambda line: None)
    assert clip.name == "-" and pathlib.Path(clip.file).read_bytes() == content
    assert "it is read to its end, as one recording" in caplog.text


def test_speech_is_where_it_is_loud() -> None:
    noise = np.random.default_rng(0).normal(0, 1, 10 * RATE)
    loud = np.full(10 * RATE, 1e-3)
    loud[2 * RATE : 4 * RATE] = loud[6 * RATE : 7 * RATE] = 0.1
    found = join_steps(by_energy(noise * loud), STEP / RATE, duration=10.0)
    np.testing.assert_allclose(found, [(1.9, 4.1), (5.9, 7.1)], atol=0.05)


def test_silence_and_steady_noise_are_no_speech() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * RATE)
    for sound in (np.zeros(5 * RATE), noise, np.zeros(3)):
        assert not by_energy(sound).any()
