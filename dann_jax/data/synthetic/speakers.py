"""Synthetic speakers, microphones and emotions.

The manners move in the directions of Murray and Arnott, "Toward the simulation of
emotion in synthetic speech", JASA 93 (1993), 1097-1108, table I. Their sizes, and those
of the differences between speakers, are chosen for the embedded corpus, not measured.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Speaker(NamedTuple):
    """A speaker and the microphone that records them.

    Attributes:
      name: such as `voice01`.
      gender: `f` or `m`.
      pitch: mean fundamental frequency of neutral speech, in Hz.
      formants: factor on all formants, 1 for a long vocal tract, above for shorter.
      breathiness: noise against pulses in the source, as a ratio.
      rate: factor on the speed of speech.
      gain: of the microphone, in dB.
      response: of the microphone, dB at each of `RESPONSE_AT`.
      floor: level of its noise, in dB of full scale.
    """

    name: str
    gender: str
    pitch: float
    formants: float
    breathiness: float
    rate: float
    gain: float
    response: tuple[float, ...]
    floor: float


class Manner(NamedTuple):
    """How an emotion is spoken, against neutral speech of the same person.

    Attributes:
      pitch: shift of the mean, in semitones.
      spread: standard deviation of the pitch of syllables, in semitones.
      level: in dB.
      rate: factor on the speed.
      tilt: of the spectrum, in dB an octave.
      formants: factor; a smile shortens the vocal tract (Tartter, Perception &
        Psychophysics 27, 1980, 24-27).
    """

    pitch: float
    spread: float
    level: float
    rate: float
    tilt: float
    formants: float


EMOTIONS: Mapping[str, Manner] = {
    "anger": Manner(4.0, 2.0, 6.0, 1.2, 3.5, 1.0),
    "happiness": Manner(7.0, 3.5, 3.0, 1.1, 0.0, 1.12),
    "neutral": Manner(0.0, 1.5, 0.0, 1.0, 0.0, 1.0),
    "sadness": Manner(-2.0, 1.0, -6.0, 0.75, -3.0, 0.94),
}
"""The emotion of a manifest -> how it is spoken."""

RESPONSE_AT = tuple(np.geomspace(100.0, 7500.0, 14).tolist())
"""Frequencies, in Hz, at which the response of a microphone is given.

There are more of them than training speakers: labels alone cannot teach a network to
ignore all microphones.
"""

OCTAVES = np.log2(np.array(RESPONSE_AT) / 1000.0)
"""The same frequencies, in octaves above 1 kHz."""


def make_speaker(number: int, *, shift: float = 1.0, seed: int = 0) -> Speaker:
    """Draw a speaker: women have odd numbers, men even ones.

    Args:
      number: from 1. The speaker depends on it and on the seed, not on how many more
        there are.
      shift: size of the differences between speakers; 0 leaves gender alone.
      seed: of the corpus.

    Example:
      >>> make_speaker(2, shift=0.0)[:4]
      ('voice02', 'm', 120.0, 1.0)
    """
    rng = np.random.default_rng([seed, number])
    female = number % 2 == 1
    # Plain numbers: a speaker prints, compares and serialises as it reads.
    draw = (shift * rng.normal(size=5)).tolist()
    tilt = 0.5 * shift * rng.normal() * OCTAVES
    response = tilt + 12.0 * shift * rng.normal(size=len(RESPONSE_AT))
    return Speaker(
        name=f"voice{number:02d}",
        gender="f" if female else "m",
        pitch=(205.0 if female else 120.0) * 2.0 ** (1.2 * draw[0] / 12.0),
        formants=(1.15 if female else 1.0) * math.exp(0.02 * draw[1]),
        breathiness=0.15 * math.exp(0.5 * draw[2]),
        rate=math.exp(0.08 * draw[3]),
        gain=shift * rng.uniform(-2.5, 2.5),
        response=tuple(response.tolist()),
        floor=-68.0 + 4.0 * draw[4],
    )


def vary(manner: Manner, rng: np.random.Generator) -> Manner:
    """The manner of one utterance: no two are alike.

    Args:
      manner: of the emotion.
      rng: of the deviation from it.
    """
    draw = rng.normal(size=5)
    return Manner(
        pitch=manner.pitch + 0.8 * draw[0],
        spread=manner.spread,
        level=manner.level + 1.0 * draw[1],
        rate=manner.rate * np.exp(0.08 * draw[2]),
        tilt=manner.tilt + 0.5 * draw[3],
        formants=manner.formants * np.exp(0.015 * draw[4]),
    )
