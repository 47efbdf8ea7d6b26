"""The embedded audio: synthetic speakers with emotions, from a seed.

Speakers and emotions meet in the same acoustics: a bright microphone is like anger, a
high voice like excitement, a short vocal tract like a smile. Microphones differ most,
in more ways than there are speakers to learn from. Speakers may also show emotions in
different proportions. So a classifier is misled by an unseen speaker, and less so if
it cannot classify the speaker.
"""

import numpy as np
from etils import epath
from scipy import signal

from dann_jax.data.corpus import CorpusError
from dann_jax.data.manifest import write_manifest
from dann_jax.data.synthetic.source_filter import (
    SAMPLE_RATE,
    VOWELS,
    colour,
    hiss,
    source,
    unit_power,
    vowel,
)
from dann_jax.data.synthetic.speakers import (
    EMOTIONS,
    OCTAVES,
    RESPONSE_AT,
    Manner,
    Speaker,
    make_speaker,
    vary,
)
from dann_jax.utils.files import partial_folder

_LEVEL = -32.0
"""Of neutral speech, in dB of full scale."""

_SYLLABLE, _SILENCE = 0.18, 0.05
"""In seconds."""


def synthesise(speaker: Speaker, emotion: str, rng: np.random.Generator) -> np.ndarray:
    """Speak one utterance of four to six syllables.

    Args:
      speaker: who.
      emotion: one of `EMOTIONS`.
      rng: of the words, and of what differs each time that an emotion is shown.

    Returns:
      Float64 `[n]` at `SAMPLE_RATE`, within (-1, 1), 0.7 to 2.5 s.

    Raises:
      ValueError: the emotion is unknown.

    Example:
      >>> samples = synthesise(make_speaker(1), "anger", np.random.default_rng(0))
      >>> 0.5 < len(samples) / SAMPLE_RATE < 2.0
      True
    """
    if emotion not in EMOTIONS:
        raise ValueError(
            f"unknown emotion {emotion!r}; choose from {', '.join(EMOTIONS)}"
        )
    manner = vary(EMOTIONS[emotion], rng)
    seconds = _SYLLABLE / (speaker.rate * manner.rate)
    lengths = seconds * np.exp(0.1 * rng.normal(size=rng.integers(4, 7)))
    voice = _speak(speaker, manner, (SAMPLE_RATE * lengths).astype(int), rng)
    response = np.add(speaker.response, manner.tilt * OCTAVES)
    voice = signal.oaconvolve(voice, colour(RESPONSE_AT, response), mode="same")
    mixed = _amplitude(_LEVEL + manner.level + speaker.gain) * unit_power(voice)
    mixed += _amplitude(speaker.floor) * rng.normal(size=len(mixed))
    # A microphone that is too loud saturates; it does not wrap around.
    return np.tanh(mixed)


def write_voices(
    folder: epath.PathLike,
    *,
    speakers: int = 6,
    utterances: int = 54,
    speaker_shift: float = 1.0,
    label_shift: float = 0.1,
    seed: int = 0,
) -> epath.Path:
    """Write the corpus as 16-bit wav files and `manifest.csv`, whole or not at all.

    Args:
      folder: where to; it must not exist.
      speakers: how many, women and men in turn.
      utterances: of each speaker.
      speaker_shift: size of the differences between speakers of one gender.
      label_shift: 0 gives every speaker the same emotions, 1 very different ones.
      seed: of everything. The same arguments write the same files.

    Returns:
      The folder. The manifest has the columns utt_id, file (relative to the folder),
      speaker, gender, emotion, corpus and language, and a row an utterance.

    Raises:
      CorpusError: the folder exists, or an argument is out of range. Nothing is left.
    """
    folder = epath.Path(folder)
    if folder.exists():
        raise CorpusError(f"{folder} exists; delete it, or choose another folder")
    if speakers < 1 or utterances < 1 or not 0.0 <= label_shift <= 1.0:
        raise CorpusError(
            f"need speakers and utterances of at least 1 and a label_shift from 0 to "
            f"1, got {speakers=} {utterances=} {label_shift=}"
        )
    with partial_folder(folder) as partial:
        (partial / "wav").mkdir(parents=True)
        rows = []
        for number in range(1, speakers + 1):
            speaker = make_speaker(number, shift=speaker_shift, seed=seed)
            rng = np.random.default_rng([seed, number, 1])
            for emotion in _emotions(rng, utterances, label_shift):
                name = f"{speaker.name}_{len(rows) % utterances + 1:03d}"
                _write_wav(partial / "wav" / name, synthesise(speaker, emotion, rng))
                rows.append(_row(name, speaker, emotion))
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        write_manifest(partial / "manifest.csv", columns)
        partial.rename(folder)
    return folder


def _write_wav(path: epath.Path, samples: np.ndarray) -> None:
    import soundfile

    with path.with_suffix(".wav").open("wb") as file:
        soundfile.write(file, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")


def _row(name: str, speaker: Speaker, emotion: str) -> dict[str, str]:
    return {
        "utt_id": name,
        "file": f"wav/{name}.wav",
        "speaker": speaker.name,
        "gender": speaker.gender,
        "emotion": emotion,
        "corpus": "voices",
        "language": "none",
    }


def _emotions(rng: np.random.Generator, count: int, label_shift: float) -> np.ndarray:
    """The emotions that a speaker shows, in order, `[count]`."""
    share = np.full(len(EMOTIONS), (1.0 - label_shift) / len(EMOTIONS))
    share += label_shift * rng.dirichlet(np.ones(len(EMOTIONS)))
    return rng.choice(list(EMOTIONS), size=count, p=share)


def _speak(
    speaker: Speaker, manner: Manner, lengths: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Syllables of these lengths, in samples, with silence at both ends."""
    centres = np.cumsum(lengths) - lengths / 2
    semitones = manner.pitch + manner.spread * rng.normal(size=len(lengths))
    melody = np.interp(np.arange(lengths.sum()), centres, semitones)
    pitch = speaker.pitch * 2.0 ** (melody / 12.0)
    fed = source(pitch, rng, breathiness=speaker.breathiness, jitter=0.01)
    silence = np.zeros(int(_SILENCE * SAMPLE_RATE))
    scale = speaker.formants * manner.formants
    parts = [silence]
    for syllable in np.split(fed, np.cumsum(lengths)[:-1]):
        formants = scale * np.array(VOWELS[rng.integers(len(VOWELS))])
        # A hiss or a gap stands for any consonant.
        parts += [rng.integers(2) * hiss(scale, rng), vowel(syllable, formants)]
    return np.concatenate([*parts, silence])


def _amplitude(decibels: float) -> float:
    return 10.0 ** (decibels / 20.0)
