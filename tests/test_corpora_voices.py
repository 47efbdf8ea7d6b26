"""Embedded voices: the acoustics are as asked, the files whole and repeatable."""

import concurrent.futures
import itertools
import pathlib
import threading
import time

import numpy as np
import pytest
import soundfile
from scipy import signal

from dann_jax.data import embedded
from dann_jax.data.corpus import CorpusError
from dann_jax.data.readers.table import read_manifest
from dann_jax.data.synthetic import voices
from dann_jax.data.synthetic.source_filter import (
    BANDWIDTHS,
    SAMPLE_RATE,
    VOWELS,
    colour,
    glottal_flow,
    resonators,
    source,
    unit_power,
    vowel,
)
from dann_jax.data.synthetic.speakers import (
    EMOTIONS,
    RESPONSE_AT,
    Speaker,
    make_speaker,
)
from dann_jax.data.synthetic.voices import synthesise, write_voices


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pitch_of(samples: np.ndarray) -> float:
    """Of a steady sound, in Hz, from the first peak of its autocorrelation."""
    shortest, longest = SAMPLE_RATE // 500, SAMPLE_RATE // 70
    similar = signal.correlate(samples, samples, "full")[len(samples) - 1 :]
    lag = shortest + np.argmax(similar[shortest:longest])
    left, middle, right = similar[lag - 1 : lag + 2]
    return SAMPLE_RATE / (lag + 0.5 * (left - right) / (left - 2 * middle + right))


def gain_at(taps: np.ndarray, frequency: float) -> float:
    """Of an FIR filter, in dB."""
    _, response = signal.freqz(taps, worN=[frequency], fs=SAMPLE_RATE)
    return float(20 * np.log10(np.abs(response[0])))


def test_the_glottis_is_closed_for_the_rest_of_the_cycle() -> None:
    phase = np.linspace(0.0, 1.0, 10001)
    flow = glottal_flow(phase)
    assert flow.min() >= 0 and flow.max() == 1.0
    assert (flow[phase > 0.56] == 0).all() and (flow[1:5600] > 0).all()
    # No jump: the steepest step is that of the closing quarter of a cosine.
    assert np.abs(np.diff(flow)).max() <= 0.5 * np.pi / 0.16 * 1e-4 * (1 + 1e-9)


def test_every_cycle_is_the_same() -> None:
    phase = random().uniform(size=100)
    np.testing.assert_allclose(glottal_flow(phase + 7), glottal_flow(phase), atol=1e-12)


@pytest.mark.parametrize("pitch", [90.0, 123.4, 210.0, 333.0])
@pytest.mark.parametrize("formants", VOWELS[1:4])
def test_a_vowel_has_the_pitch_that_was_asked_for(
    pitch: float, formants: tuple[float, ...]
) -> None:
    fed = source(np.full(8000, pitch), random(), breathiness=0.1, jitter=0.01)
    assert pitch_of(vowel(fed, formants)) == pytest.approx(pitch, rel=0.02)


def test_breathiness_is_the_noise_against_the_pulses() -> None:
    pitch = np.full(SAMPLE_RATE, 150.0)
    clear = source(pitch, random())
    breathy = source(pitch, random(), breathiness=0.5)
    noise = np.sqrt(np.mean((breathy - clear) ** 2))
    assert noise == pytest.approx(0.5) and np.mean(clear**2) == pytest.approx(1.0)


def test_a_resonance_is_where_it_should_be_and_as_wide() -> None:
    frequencies = np.arange(1.0, 4000.0)
    _, response = signal.freqz_sos(
        resonators([1500.0]), worN=frequencies, fs=SAMPLE_RATE
    )
    power = np.abs(response) ** 2
    assert frequencies[power.argmax()] == pytest.approx(1500.0, rel=0.01)
    above = frequencies[power > power.max() / 2]
    assert above[-1] - above[0] == pytest.approx(BANDWIDTHS[0], rel=0.05)


def test_a_cascade_leaves_a_constant_as_it_is() -> None:
    _, response = signal.freqz_sos(resonators(VOWELS[0]), worN=[0.0])
    assert response[0] == pytest.approx(1.0)


@pytest.mark.parametrize("scale", [0.9, 1.0, 1.2])
def test_a_shorter_throat_moves_every_peak_of_the_envelope(scale: float) -> None:
    formants = scale * np.array(VOWELS[1])
    # Noise shows the envelope between the harmonics of any pitch.
    heard = signal.sosfilt(resonators(formants), random().normal(size=40 * SAMPLE_RATE))
    frequencies, power = signal.welch(heard, SAMPLE_RATE, nperseg=1024)
    for formant in formants[:3]:
        near = np.abs(frequencies - formant) < 0.1 * formant
        peak = frequencies[near][power[near].argmax()]
        assert peak == pytest.approx(formant, rel=0.05)


def test_a_throat_of_any_length_is_stable() -> None:
    heard = signal.sosfilt(resonators(5.0 * np.array(VOWELS[0])), np.eye(1, 4000)[0])
    assert np.isfinite(heard).all() and np.abs(heard[-1000:]).max() < 1e-6


def test_colour_has_the_response_that_was_asked_for() -> None:
    taps = colour([1000.0, 4000.0], [-12.0, 12.0])
    assert gain_at(taps, 300.0) == pytest.approx(-12.0, abs=0.5)
    assert gain_at(taps, 2000.0) == pytest.approx(0.0, abs=0.5)
    assert gain_at(taps, 6000.0) == pytest.approx(12.0, abs=0.5)
    np.testing.assert_allclose(taps, taps[::-1], atol=1e-12)


def test_silence_stays_silence() -> None:
    assert (unit_power(np.zeros(9)) == 0).all()


def test_a_speaker_does_not_depend_on_how_many_there_are_but_on_the_seed() -> None:
    assert make_speaker(3) == make_speaker(3) != make_speaker(3, seed=1)
    names = {make_speaker(number).name for number in range(1, 13)}
    assert len(names) == 12


def test_without_shift_only_gender_differs() -> None:
    first, second, third = (make_speaker(number, shift=0.0) for number in (1, 2, 3))
    assert first._replace(name="voice03") == third
    assert (first.gender, second.gender) == ("f", "m")
    assert first.pitch > second.pitch and first.formants > second.formants


def plain(pitch: float = 120.0, gain: float = 0.0) -> Speaker:
    """A speaker whose microphone changes nothing and is silent by itself."""
    flat = (0.0,) * len(RESPONSE_AT)
    return Speaker("plain", "m", pitch, 1.0, 0.1, 1.0, gain, flat, -100.0)


def average(emotion: str, what: str) -> float:
    """Over utterances of one person: level in dB, or length of a syllable in s."""
    measured = []
    for seed in range(30):
        samples = synthesise(plain(), emotion, random(seed))
        level = 10 * np.log10(np.mean(samples**2))
        measured.append(level if what == "level" else len(samples) / SAMPLE_RATE)
    return float(np.mean(measured))


def test_anger_is_loud_and_fast_and_sadness_quiet_and_slow() -> None:
    level = {emotion: average(emotion, "level") for emotion in EMOTIONS}
    length = {emotion: average(emotion, "length") for emotion in EMOTIONS}
    assert sorted(EMOTIONS, key=level.get) == [
        *("sadness", "neutral", "happiness", "anger")
    ]
    assert sorted(EMOTIONS, key=length.get) == [
        *("anger", "happiness", "neutral", "sadness")
    ]


def test_anger_is_brighter_than_sadness() -> None:
    def brightness(emotion: str) -> float:
        samples = synthesise(plain(), emotion, random())
        frequencies, power = signal.welch(samples, SAMPLE_RATE, nperseg=512)
        return float((frequencies * power).sum() / power.sum())

    assert brightness("anger") > 1.2 * brightness("sadness")


def test_a_louder_microphone_hears_the_same_but_louder() -> None:
    quiet = synthesise(plain(gain=-10.0), "neutral", random())
    loud = synthesise(plain(gain=-4.0), "neutral", random())
    # Where nothing saturates; the noise of the microphone is at -100 dB.
    np.testing.assert_allclose(loud, quiet * 10 ** (6 / 20), atol=2e-3)


def test_even_an_overdriven_microphone_does_not_clip() -> None:
    samples = synthesise(plain(gain=20.0), "anger", random())
    assert 0.9 < np.abs(samples).max() < 1.0


def test_one_utterance_depends_on_the_generator_alone() -> None:
    for emotion in EMOTIONS:
        once, again, other = (
            synthesise(make_speaker(1), emotion, random(seed)) for seed in (5, 5, 6)
        )
        np.testing.assert_array_equal(once, again)
        assert len(once) != len(other) or (once != other).any()


def test_unknown_emotion() -> None:
    with pytest.raises(ValueError, match="'joy'; choose from anger, happiness"):
        synthesise(plain(), "joy", random())


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("audio") / "voices"
    write_voices(folder, speakers=3, utterances=8)
    return folder


def test_manifest_has_a_row_an_utterance(corpus: pathlib.Path) -> None:
    columns = read_manifest(corpus / "manifest.csv")
    assert list(columns) == [
        *("utt_id", "file", "speaker", "gender", "emotion", "corpus", "language")
    ]
    names, counts = np.unique(columns["speaker"], return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {
        **{"voice01": 8, "voice02": 8, "voice03": 8}
    }
    assert len(set(columns["utt_id"])) == 24
    assert set(columns["emotion"]) <= set(EMOTIONS)
    assert set(columns["corpus"]) == {"voices"} and set(columns["language"]) == {"none"}


def test_every_file_is_sound(corpus: pathlib.Path) -> None:
    files = read_manifest(corpus / "manifest.csv")["file"]
    assert {*files} == {f"wav/{path.name}" for path in (corpus / "wav").iterdir()}
    for name in files:
        information = soundfile.info(corpus / name)
        assert (information.samplerate, information.channels) == (16000, 1)
        assert information.subtype == "PCM_16"
        assert 0.7 < information.duration < 2.5
        samples, _ = soundfile.read(corpus / name)
        assert 0.01 < np.abs(samples).max() < 0.99


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.*")
    }


def test_the_same_seed_writes_the_same_bytes(
    corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    write_voices(tmp_path / "same", speakers=3, utterances=8)
    write_voices(tmp_path / "other", speakers=3, utterances=8, seed=1)
    assert contents(tmp_path / "same") == contents(corpus)
    other = contents(tmp_path / "other")
    assert all(other.get(name) != data for name, data in contents(corpus).items())


def test_more_speakers_leave_the_others_as_they_are(
    corpus: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    write_voices(tmp_path / "few", speakers=2, utterances=8)
    few, all_three = contents(tmp_path / "few"), contents(corpus)
    wavs = [name for name in few if name.endswith(".wav")]
    assert len(wavs) == 16 and all(few[name] == all_three[name] for name in wavs)


def test_label_shift_is_how_much_speakers_differ_in_what_they_show() -> None:
    def furthest(label_shift: float) -> float:
        drawn = [voices._emotions(random(seed), 500, label_shift) for seed in range(8)]
        shares = [[(own == word).mean() for word in EMOTIONS] for own in drawn]
        return max(
            np.abs(np.subtract(a, b)).max() for a, b in itertools.pairwise(shares)
        )

    assert furthest(0.0) < 0.1 < furthest(0.5) < furthest(1.0)


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_interrupted_writing_leaves_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def fail(*arguments: object) -> np.ndarray:
        if next(calls) == 3:
            raise stop
        return synthesise(*arguments)

    calls = itertools.count()
    monkeypatch.setattr(voices, "synthesise", fail)
    with pytest.raises(stop):
        write_voices(tmp_path / "voices", speakers=1, utterances=8)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(corpus: pathlib.Path) -> None:
    before = contents(corpus)
    with pytest.raises(CorpusError, match="voices exists; delete it"):
        write_voices(corpus, speakers=1, utterances=1)
    assert contents(corpus) == before


@pytest.mark.parametrize(
    "wrong", [{"speakers": 0}, {"utterances": 0}, {"label_shift": 1.5}]
)
def test_arguments_out_of_range(tmp_path: pathlib.Path, wrong: dict) -> None:
    with pytest.raises(CorpusError, match=f"{[*wrong][0]}={[*wrong.values()][0]}"):
        write_voices(tmp_path / "voices", **wrong)
    assert not list(tmp_path.iterdir())


def test_two_first_runs_at_once_write_the_voices_once(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, written = threading.Barrier(2), []

    def write(folder: pathlib.Path) -> None:
        written.append(folder)
        time.sleep(0.2)
        write_voices(folder, speakers=1, utterances=2)

    def first_run(_: int) -> int:
        both.wait(timeout=60)
        return len(embedded.prepared_voices(tmp_path))

    monkeypatch.setattr(voices, "write_voices", write)
    with concurrent.futures.ThreadPoolExecutor(2) as runs:
        assert list(runs.map(first_run, range(2))) == [2, 2]
    assert len(written) == 1
