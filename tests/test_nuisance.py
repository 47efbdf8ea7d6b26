"""What training speakers differ in within a class is removed, and nothing else."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from test_enrolment_statistics import CORPUS, LABEL, PROTOCOL, ROWS, SPEAKER

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.tasks.batches import gather_features
from dann_jax.tasks.nuisance import leading_directions
from dann_jax.tasks.roles import Role
from dann_jax.tasks.speaker_statistics import Standardisation
from dann_jax.tasks.task import Task, make_task


def task_of(corpus: Corpus = CORPUS, count: int = 1, **changes: object) -> Task:
    protocol = dataclasses.replace(PROTOCOL, **changes)
    sizes = {"batch_size": 2, "num_buckets": 1}
    return make_task(corpus, protocol, {}, **sizes, nuisance_directions=count)


def inputs(task: Task, fold: int = 0, tables: str = "numpy") -> dict[str, np.ndarray]:
    """Modality -> what a network is given of every row, each a dialogue."""
    view = task.evaluation
    index = view.index_batch(np.arange(ROWS)[None], 1, [fold])
    found = (view.tables(), view.standardiser_of([fold]))
    if tables == "jax":
        index, found = (
            index._replace(inputs={n: jnp.array(a) for n, a in index.inputs.items()}),
            tuple({n: _on_device(a) for n, a in part.items()} for part in found),
        )
    batch, order = gather_features(index, *found), np.argsort(index.row.ravel())
    return {
        name: np.asarray(array)[0, order, 0] for name, array in batch.inputs.items()
    }


def _on_device(arrays: object) -> object:
    if isinstance(arrays, tuple):
        return tuple(map(jnp.array, arrays))
    return jnp.array(arrays)


def test_directions_are_orthonormal_and_ordered_by_what_speakers_differ_in() -> None:
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0][:2]
    people = rng.normal(size=(8, 1)) * 5 * axes[0] + rng.normal(size=(8, 1)) * axes[1]
    label, speaker = np.tile([0, 1, 2], 40), np.arange(120) % 8
    classes = rng.normal(size=(3, 6))
    vectors = people[speaker] + classes[label]
    found = leading_directions(vectors, label, speaker, 2)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-12)
    # All that is left of a speaker is the class.
    rest = vectors - vectors @ found.T @ found
    for one in range(3):
        np.testing.assert_allclose(rest[label == one].std(0), 0.0, atol=1e-9)
    assert abs(found[0] @ axes[0]) > 0.9
    assert len(leading_directions(vectors, label, speaker, 6)) == 2


def test_a_speaker_who_says_one_class_more_often_is_no_direction() -> None:
    label = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    speaker = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    vectors = np.where(label[:, None] == 0, [1.0, 0.0], [-1.0, 0.0])
    assert not len(leading_directions(vectors, label, speaker, 1))


@pytest.mark.parametrize("tables", ["numpy", "jax"])
def test_a_network_is_given_what_is_left(tables: str) -> None:
    plain, without = task_of(count=0), task_of()
    for fold in range(2):
        before, after = inputs(plain, fold), inputs(without, fold, tables)
        for name, values in before.items():
            (direction,) = without.evaluation.standardiser[name][2][fold]
            expected = values - (values @ direction)[..., None] * direction
            array = CORPUS.features[name]
            if isinstance(array, Frames):
                real = np.arange(values.shape[1]) < array.lengths[:, None]
                expected = np.where(real[..., None], expected, 0.0)
            np.testing.assert_allclose(after[name], expected, atol=1e-5)
            np.testing.assert_allclose(after[name] @ direction, 0.0, atol=1e-4)


def test_only_labelled_rows_of_a_fold_have_a_say() -> None:
    clean = task_of().training.standardiser
    voice, label = CORPUS.features["voice"].copy(), LABEL.copy()
    others = PROTOCOL.roles[0] != Role.LABELLED
    voice[others] += np.random.default_rng(1).normal(size=(others.sum(), 3)) * 9
    label[others] = 1 - label[others]
    features = {**CORPUS.features, "voice": np.float32(voice)}
    other = task_of(dataclasses.replace(CORPUS, features=features), label=label)
    for before, after in zip(
        clean["voice"], other.training.standardiser["voice"], strict=True
    ):
        np.testing.assert_array_equal(after[0], before[0])
    assert not task_of().transductive


def test_directions_that_there_are_not_are_zero_and_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Two labelled speakers in two classes: two differences.
    few = np.where(np.isin(SPEAKER, (0, 1)), Role.LABELLED, Role.TEST)
    task = task_of(count=2, roles=np.int8([few, few]))
    directions = task.training.standardiser["voice"][2]
    # The third value is constant.
    np.testing.assert_allclose(directions[0, :, 2], 0.0, atol=1e-6)
    corpus = dataclasses.replace(
        CORPUS, features={"voice": np.float32(np.tile(LABEL[:, None], (1, 3)))}
    )
    task = task_of(dataclasses.replace(corpus, present={"voice": np.ones(ROWS, bool)}))
    assert not task.training.standardiser["voice"][2].any()
    assert "differ within classes in 0 directions of 'voice'" in caplog.text


def test_what_would_leave_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="have 3 values: nothing would be left"):
        task_of(count=3)
    with pytest.raises(ValueError, match="needs classes"):
        task_of(targets=("valence",), value=np.zeros((ROWS, 1)))
    with pytest.raises(ValueError, match="they are by 'speaker'"):
        make_task(
            *(CORPUS, PROTOCOL, {}),
            **{"batch_size": 2, "num_buckets": 1, "nuisance_directions": 1},
            standardisation=Standardisation("speaker"),
        )
