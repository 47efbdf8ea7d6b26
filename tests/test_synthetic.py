"""The embedded corpus: what is in it, and what can be learned from it."""

import functools
from collections.abc import Sequence

import jax
import numpy as np
import pytest
from runs import default_config

from dann_jax.data.corpus import Corpus
from dann_jax.data.synthetic.conversations import EMOTIONS, synthetic_conversations
from dann_jax.evaluation.probe import domain_probe
from dann_jax.evaluation.statistics import pooled
from dann_jax.evaluation.summaries import speaker_counts
from dann_jax.experiment.build import compiled
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Role
from dann_jax.tasks.task import Task, make_task
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.program import Program
from dann_jax.training.replicas import ReplicaLayout, make_mesh
from dann_jax.training.run import Run
from dann_jax.training.state import TrainState
from dann_jax.training.timetable import Timetable

# What is in it.


def flat(corpus: Corpus) -> dict[str, np.ndarray]:
    return {**corpus.columns, **corpus.features}


def test_the_same_seed_gives_the_same_corpus() -> None:
    one, two = (flat(synthetic_conversations(sessions=2, seed=3)) for _ in range(2))
    assert set(one) == set(two)
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name])


def test_another_seed_gives_another_corpus() -> None:
    one, two = (synthetic_conversations(sessions=2, seed=seed) for seed in (3, 4))
    assert list(one.columns["emotion"]) != list(two.columns["emotion"])
    rows = min(len(one), len(two))
    for name, values in one.features.items():
        assert not np.isclose(values[:rows], two.features[name][:rows]).any(1).all()


def test_sessions_pair_speakers_who_take_turns_in_dialogues_of_the_told_length() -> (
    None
):
    corpus = synthetic_conversations(sessions=3, dialogues=4, turns=9)
    dialogues = corpus.dialogues()
    assert len(dialogues) == 3 * 4
    assert {len(turns) for turns in dialogues} <= {6, 7, 8, 9}
    for turns in dialogues:
        assert len(set(corpus.columns["session"][turns])) == 1
        assert list(corpus.parties()[turns]) == [k % 2 for k in range(len(turns))]
    assert len(set(corpus.columns["speaker"])) == 6
    assert set(corpus.columns["emotion"]) <= set(EMOTIONS)


def own_pairs(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
    """Emotions of turns, and of the same speaker's turn before in the dialogue."""
    emotion = corpus.columns["emotion"]
    now, before = [], []
    for turns in corpus.dialogues():
        now += list(emotion[turns[2:]])
        before += list(emotion[turns[:-2]])
    return np.array(now), np.array(before)


@pytest.mark.parametrize("inertia", [0.0, 0.5, 0.85])
def test_an_emotion_lasts_from_one_own_turn_to_the_next_as_often_as_told(
    inertia: float,
) -> None:
    corpus = synthetic_conversations(label_shift=0.0, inertia=inertia)
    now, before = own_pairs(corpus)
    # A quarter of the new draws repeats the emotion.
    expected = inertia + (1 - inertia) / len(EMOTIONS)
    error = np.sqrt(expected * (1 - expected) / len(now))
    assert np.mean(now == before) == pytest.approx(expected, abs=4 * error)


def test_by_default_emotions_last() -> None:
    now, before = own_pairs(synthetic_conversations())
    assert np.mean(now == before) > 0.7


def shares(corpus: Corpus) -> np.ndarray:
    """How often each speaker shows each emotion, `[speakers, emotions]`."""
    columns = corpus.columns
    return np.array(
        [
            np.mean(columns["emotion"][columns["speaker"] == who, None] == EMOTIONS, 0)
            for who in np.unique(columns["speaker"])
        ]
    )


def test_without_label_shift_all_speakers_show_all_emotions_equally_often() -> None:
    # Independent turns, so that the spread is that of counting.
    options = {"inertia": 0.0, "dialogues": 40, "sessions": 4}
    even = shares(synthetic_conversations(label_shift=0.0, **options))
    turns = len(synthetic_conversations(label_shift=0.0, **options)) / len(even)
    error = np.sqrt(0.25 * 0.75 / turns)
    np.testing.assert_allclose(even, 0.25, atol=4 * error)
    uneven = shares(synthetic_conversations(label_shift=1.0, **options))
    assert np.std(uneven) > 5 * error


def speaker_found(corpus: Corpus, modality: str) -> dict[str, float]:
    speaker = np.unique(corpus.columns["speaker"], return_inverse=True)[1]
    return domain_probe(corpus.features[modality], speaker)


def test_without_speaker_shift_nothing_in_the_features_tells_the_speaker() -> None:
    # Nor does the choice of emotions, once it is neither skewed nor kept.
    corpus = synthetic_conversations(
        sessions=4, speaker_shift=0.0, label_shift=0.0, inertia=0.0
    )
    for modality in ("acoustic", "lexical"):
        found = speaker_found(corpus, modality)
        rows = min(len(corpus), 1000)
        error = np.sqrt(found["chance"] * (1 - found["chance"]) / rows)
        assert abs(found["accuracy"] - found["chance"]) < 4 * error


def test_the_speaker_shift_is_in_the_acoustic_view_alone() -> None:
    corpus = synthetic_conversations(sessions=4, label_shift=0.0)
    assert speaker_found(corpus, "acoustic")["accuracy"] > 0.9
    assert speaker_found(corpus, "lexical")["accuracy"] < 0.25


# What can be learned from it.

SEEDS = 1
SOURCE_ONLY = {"source_only": {"speaker": 0.0}}
ARMS = {**SOURCE_ONLY, "dann": {"speaker": 1.0}}


def task_of(corpus: Corpus, train: Sequence[str]) -> Task:
    """As in the embedded default; sessions that are not trained on are tested."""
    config = default_config()
    config.protocol.validation_folds = 0
    config.protocol.split_args.train = tuple(train)
    sessions = np.unique(corpus.columns["session"])
    config.protocol.split_args.test = tuple(
        map(str, np.setdiff1d(sessions, list(train)))
    )
    protocol = make_protocol(corpus, **config.protocol)
    adversaries = config.adversaries.to_dict()
    return make_task(corpus, protocol, adversaries, **config.batches)


def layout_of(task: Task, context: bool) -> ReplicaLayout:
    """With context one arm alone, which is what the tests look at there."""
    arms = SOURCE_ONLY if context else ARMS
    return ReplicaLayout(task.protocol.folds, range(SEEDS), arms, make_mesh(1))


@functools.cache
def program_of(context: bool) -> tuple[Program, TrainState, int]:
    """The program, the first state (on the host) and the number of steps.

    They do not depend on what is in the corpus: all of these have one shape.
    """
    config = default_config()
    config.encoder.update({"width": 16, "context": context, "own_heads": int(context)})
    config.encoder.dropout = config.heads.head_dropout = 0.2
    config.optimizer.update({"learning_rate": 1e-2, "weight_decay": 0.1})
    config.timetable.epochs = 25
    task = task_of(synthetic_conversations(), ("1", "2"))
    layout, plan = layout_of(task, context), task.plan(task.protocol.visible())
    timetable = Timetable(plan.steps_per_epoch, **config.timetable)
    program = compiled(config, task, layout, timetable)
    batch = BatchLoader(task.training, plan, layout, shuffle=True).batch(0)
    state = program.initial_state(batch)
    total = timetable.steps_per_epoch * timetable.epochs
    return program, jax.device_get(state), total


def recalls(
    corpus: Corpus, *, train: Sequence[str], context: bool = True
) -> dict[str, float]:
    """UA of each arm on the speakers of the other sessions, in percent."""
    program, start, total = program_of(context)
    task = task_of(corpus, train)
    layout, plan = layout_of(task, context), task.plan(task.protocol.visible())
    # A step may reuse the memory of the state that it is given.
    state = layout.put(jax.tree.map(lambda leaf: leaf.copy(), start))
    strength = layout.put(layout.peak_strength())
    loader = BatchLoader(task.training, plan, layout, shuffle=True)
    for step in range(total):
        state, _ = program.train_step(state, loader.batch(step), strength)
    run = Run(task, layout, program)
    rows, _, logits = run.predict(state.average, Role.TEST, ("label_logits",))
    speaker = corpus.columns["speaker"]
    counts = speaker_counts(logits, rows, speaker, task.protocol, layout)
    return {arm: 100 * pooled(table, "ua") for arm, table in counts.items()}


@pytest.mark.slow
def test_the_adversary_helps_on_unheard_speakers() -> None:
    found = recalls(synthetic_conversations(), train="12", context=False)
    # Five corpora gave gains of 18, 7, 24, 13 and 7 points.
    assert found["dann"] - found["source_only"] > 8.0
    assert found["source_only"] > 40.0


def context_gain(inertia: float, seed: int = 0) -> float:
    """Points that the dialogue gains where single turns say little."""
    corpus = synthetic_conversations(
        speaker_shift=0.0, noise=3.0, inertia=inertia, seed=seed
    )
    with_context, without = (
        recalls(corpus, train="12345", context=context)["source_only"]
        for context in (True, False)
    )
    assert without > 50.0
    return with_context - without


@pytest.mark.slow
def test_the_dialogue_helps_where_emotions_last() -> None:
    # Five corpora gave gains of 19, 27, 25, 19 and 21 points.
    assert context_gain(inertia=0.95) > 12.0


@pytest.mark.slow
def test_the_dialogue_does_not_help_where_emotions_do_not_last() -> None:
    # Five corpora gave 0, 0, 2, -1 and -1 points.
    assert context_gain(inertia=0.0) < 3.0
