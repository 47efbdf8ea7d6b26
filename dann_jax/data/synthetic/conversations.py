"""The embedded corpus: conversations with a known structure, made from a seed.

Nothing in it is speech; it has, on purpose, what makes speech hard. Emotions last
from turn to turn. An acoustic and a lexical view both carry them, noisily. Speakers
shift the acoustic view along a few directions that the emotions use too, and speakers
differ in how often they show which emotion, so that a plain classifier learns who is
angry instead of what anger sounds like.
"""

import numpy as np

from dann_jax.data.corpus import Corpus, check

EMOTIONS = ("anger", "happiness", "neutral", "sadness")
_ACOUSTIC, _LEXICAL, _VOICES = 24, 12, 12


def synthetic_conversations(
    *,
    sessions: int = 8,
    dialogues: int = 10,
    turns: int = 24,
    speaker_shift: float = 3.0,
    label_shift: float = 0.2,
    inertia: float = 0.85,
    noise: float = 1.0,
    seed: int = 0,
) -> Corpus:
    """Generate conversations of two speakers a session.

    Args:
      sessions: pairs of speakers, named `Ses01F`, `Ses01M`, ...
      dialogues: of each session.
      turns: longest dialogue; lengths are between two thirds of it and all of it.
      speaker_shift: size of what a speaker adds to the acoustic view along each
        direction in which voices differ; emotions differ by about 7.
      label_shift: 0 gives every speaker the same emotions, 1 very different ones.
      inertia: probability that a speaker keeps the emotion of the last own turn.
      noise: standard deviation within an emotion.
      seed: of everything.

    Returns:
      A corpus with modalities `acoustic` (24) and `lexical` (12), and the columns
      utt_id, session, speaker, gender, dialogue, turn, emotion.

    Example:
      >>> corpus = synthetic_conversations(sessions=2, dialogues=1, turns=6)
      >>> sorted(corpus.features), len(set(corpus.columns["speaker"]))
      (['acoustic', 'lexical'], 4)
    """
    rng = np.random.default_rng(seed)
    emotion_acoustic = rng.normal(size=(len(EMOTIONS), _ACOUSTIC))
    emotion_lexical = 0.6 * rng.normal(size=(len(EMOTIONS), _LEXICAL))
    voices = _voices(rng, emotion_acoustic)
    rows, acoustic, lexical = [], [], []
    for session in range(1, sessions + 1):
        shifts = speaker_shift * rng.normal(size=(2, len(voices))) @ voices
        priors = _priors(rng, label_shift)
        for dialogue in range(dialogues):
            length = int(rng.integers(2 * turns // 3, turns + 1))
            for turn, (party, emotion) in enumerate(
                _conversation(rng, priors, length, inertia)
            ):
                rows.append(_row(session, party, dialogue, turn, EMOTIONS[emotion]))
                acoustic.append(
                    emotion_acoustic[emotion]
                    + shifts[party]
                    + noise * rng.normal(size=_ACOUSTIC)
                )
                lexical.append(
                    emotion_lexical[emotion] + noise * rng.normal(size=_LEXICAL)
                )
    return check(
        Corpus(
            name="synthetic",
            columns={name: np.array([row[name] for row in rows]) for name in rows[0]},
            features={
                "acoustic": np.array(acoustic, np.float32),
                "lexical": np.array(lexical, np.float32),
            },
            present={
                name: np.ones(len(rows), bool) for name in ("acoustic", "lexical")
            },
            provenance={"made_by": "dann_jax.corpora.synthetic", "seed": seed},
        )
    )


def _voices(rng: np.random.Generator, emotions: np.ndarray) -> np.ndarray:
    """Unit directions in which voices differ, mostly those that emotions use too.

    There are more of them than pairs of training speakers: labels alone cannot teach
    a network to ignore them all.
    """
    weights = rng.normal(size=(_VOICES, len(emotions)))
    shared = weights @ (emotions - emotions.mean(0)) / 2.0
    directions = 0.8 * shared + 0.2 * rng.normal(size=(_VOICES, _ACOUSTIC))
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _priors(rng: np.random.Generator, label_shift: float) -> np.ndarray:
    """How often each of two speakers shows each emotion, `[2, emotions]`."""
    skewed = rng.dirichlet(np.ones(len(EMOTIONS)), size=2)
    return (1.0 - label_shift) / len(EMOTIONS) + label_shift * skewed


def _conversation(
    rng: np.random.Generator, priors: np.ndarray, length: int, inertia: float
) -> list[tuple[int, int]]:
    """(party, emotion) of each turn; each party keeps an emotion with `inertia`."""
    emotions = [rng.choice(len(EMOTIONS), p=prior) for prior in priors]
    turns = []
    for turn in range(length):
        party = turn % 2
        if rng.random() > inertia:
            emotions[party] = rng.choice(len(EMOTIONS), p=priors[party])
        turns.append((party, emotions[party]))
    return turns


def _row(session: int, party: int, dialogue: int, turn: int, emotion: str) -> dict:
    gender = "FM"[party]
    name = f"Ses{session:02d}_{dialogue:02d}"
    return {
        "utt_id": f"{name}_{turn:03d}{gender}",
        "session": str(session),
        "speaker": f"Ses{session:02d}{gender}",
        "gender": gender.lower(),
        "dialogue": name,
        "turn": str(turn),
        "emotion": emotion,
    }
