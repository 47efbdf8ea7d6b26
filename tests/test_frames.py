"""Features with a time axis: padding, cutting, scaling, pooling, augmentation."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from corpora_and_batches import LABELS, toy_corpus

from dann_jax.data.corpus import Corpus, CorpusError, check
from dann_jax.data.frames import Frames
from dann_jax.data.normalise import standardise_by
from dann_jax.models.augment import FrameAugmentation
from dann_jax.models.frame_encoders import FRAME_ENCODERS, make_frame_encoder
from dann_jax.models.frames import AttentiveStatistics, TimeConvolution
from dann_jax.tasks.plan import padded_shapes
from dann_jax.tasks.protocols import assign_roles
from dann_jax.tasks.roles import Role
from dann_jax.tasks.splits import leave_one_out
from dann_jax.tasks.standardise import fit_standardiser
from dann_jax.tasks.task import make_task
from dann_jax.types import UNKNOWN

RNG = np.random.default_rng(0)
LENGTHS = np.array([3, 0, 7, 4])
FRAMES = Frames(RNG.normal(size=(14, 2)).astype(np.float32), LENGTHS)


def framewise(corpus: Corpus, longest: int = 12) -> Corpus:
    """The corpus with its audio as frames, of a length that depends on the row."""
    lengths = np.arange(len(corpus)) % longest + 1
    values = RNG.normal(3.0, 2.0, size=(lengths.sum(), 5)).astype(np.float32)
    features = {**corpus.features, "audio": Frames(values, lengths)}
    return dataclasses.replace(corpus, features=features)


CORPUS = framewise(toy_corpus())
PROTOCOL = assign_roles(
    CORPUS,
    leave_one_out(CORPUS, "session"),
    name="toy",
    labels=LABELS,
    unlabelled=("test",),
    validation_folds=0,
)


def test_rows_come_out_as_they_went_in() -> None:
    assert [len(FRAMES.row(n)) for n in range(4)] == LENGTHS.tolist()
    rejoined = np.concatenate([FRAMES.row(n) for n in range(4)])
    np.testing.assert_array_equal(rejoined, FRAMES.values)
    taken = FRAMES.take(np.array([3, 0]))
    np.testing.assert_array_equal(taken.row(0), FRAMES.row(3))
    np.testing.assert_array_equal(taken.row(1), FRAMES.row(0))


def test_padding_has_no_place_and_of_the_long_the_middle_is_kept() -> None:
    places, count = FRAMES.places(np.array([[0, UNKNOWN], [2, 1]]), 5)
    assert count.tolist() == [[3, 0], [5, 0]]
    values = FRAMES.values[places]
    np.testing.assert_array_equal(values[0, 0, :3], FRAMES.row(0))
    np.testing.assert_array_equal(values[1, 0], FRAMES.row(2)[1:6])
    assert (places[0, 0, 3:] == UNKNOWN).all() and (places[:, 1] == UNKNOWN).all()


def test_lengths_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to 13 frames"):
        Frames(FRAMES.values, np.array([6, 7]))


def test_a_nan_in_a_frame_is_named_by_its_utterance() -> None:
    bad = CORPUS.features["audio"].values.copy()
    bad[CORPUS.features["audio"].starts[4]] = np.nan
    frames = Frames(bad, CORPUS.features["audio"].lengths)
    corpus = dataclasses.replace(CORPUS, features={"audio": frames})
    corpus = dataclasses.replace(corpus, present={"audio": CORPUS.present["audio"]})
    with pytest.raises(CorpusError, match=str(CORPUS.columns["utt_id"][4])):
        check(corpus)


def test_scales_are_those_of_all_frames_of_the_labelled_rows() -> None:
    mean, scale = fit_standardiser(CORPUS, PROTOCOL)["audio"]
    frames = CORPUS.features["audio"]
    for fold, roles in enumerate(PROTOCOL.roles):
        rows = (roles == Role.LABELLED) & CORPUS.present["audio"]
        chosen = frames.take(np.flatnonzero(rows)).values
        np.testing.assert_allclose(mean[fold], chosen.mean(0), rtol=1e-5)
        np.testing.assert_allclose(scale[fold], chosen.std(0), rtol=1e-5)


def test_standardising_by_speaker_treats_every_frame_of_a_speaker_alike() -> None:
    made = standardise_by(CORPUS, "speaker").features["audio"]
    speaker = np.repeat(CORPUS.columns["speaker"], made.lengths)
    shown = np.repeat(CORPUS.present["audio"], made.lengths)
    for name in np.unique(speaker):
        own = made.values[(speaker == name) & shown]
        np.testing.assert_allclose(own.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(own.std(0), 1, atol=1e-5)


def test_every_dialogue_fits_its_bucket_and_long_ones_are_cut() -> None:
    for limit in (0, 6):
        sizes, shapes = padded_shapes(CORPUS, 3, limit)
        buckets = np.array(list(shapes))
        for rows, size in zip(CORPUS.dialogues(), sizes, strict=True):
            turns, frames = shapes[buckets[np.searchsorted(buckets, size)]]
            longest = min(CORPUS.num_frames()[rows].max(), limit or 99)
            assert len(rows) <= turns and longest <= frames


def test_batches_hold_standardised_frames_and_say_how_many() -> None:
    task = make_task(CORPUS, PROTOCOL, {}, batch_size=3, num_buckets=2)
    plan = task.plan(PROTOCOL.visible())
    dialogues, bucket = plan.batch(0, 1, 0)
    batch = task.training(dialogues[None], bucket, [1])
    mean, scale = fit_standardiser(CORPUS, PROTOCOL)["audio"]
    for place in np.argwhere(batch.row != UNKNOWN):
        place, row = tuple(place), batch.row[tuple(place)]
        count = batch.num_frames["audio"][place]
        shown = (
            CORPUS.features["audio"].row(row) if batch.present["audio"][place] else []
        )
        assert count == len(shown)
        values = batch.inputs["audio"][place]
        if count:
            expected = (shown - mean[1]) / scale[1]
            np.testing.assert_allclose(values[:count], expected, rtol=1e-5, atol=1e-6)
        assert not values[count:].any()


def test_time_convolution_is_the_sum_over_its_taps() -> None:
    x = RNG.normal(size=(2, 9, 3)).astype(np.float32)
    layer = TimeConvolution(4, kernel=3, dilation=2, stride=2)
    params = layer.init(jax.random.key(0), x)
    weights = params["params"]["taps"]["kernel"].reshape(3, 3, 4)
    y = layer.apply(params, x)
    assert y.shape == (2, 5, 4)
    padded = np.pad(x, ((0, 0), (2, 2), (0, 0)))
    for out in range(5):
        expected = sum(padded[:, 2 * out + 2 * k] @ weights[k] for k in range(3))
        np.testing.assert_allclose(y[:, out], expected, rtol=1e-4, atol=1e-5)


def test_with_equal_scores_attentive_statistics_are_mean_and_deviation() -> None:
    x = RNG.normal(size=(2, 6, 3)).astype(np.float32)
    mask = np.arange(6) < np.array([[6], [4]])
    layer = AttentiveStatistics()
    params = layer.init(jax.random.key(0), x, mask)
    params = jax.tree.map(jnp.zeros_like, params)
    for row, count in enumerate((6, 4)):
        own = x[row, :count]
        expected = np.concatenate([own.mean(0), own.std(0)])
        pooled = layer.apply(params, x, mask)[row]
        np.testing.assert_allclose(pooled, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FRAME_ENCODERS)
def test_padding_has_no_effect_on_what_frames_become_nor_has_its_content(
    name: str,
) -> None:
    x = RNG.normal(size=(2, 3, 16, 4)).astype(np.float32)
    count = np.array([[16, 5, 1], [9, 0, 2]], np.int32)
    encoder = make_frame_encoder({"name": name, "width": 8}, dtype=jnp.float32)
    encode = jax.jit(functools.partial(encoder.apply, deterministic=True))
    init = jax.jit(functools.partial(encoder.init, deterministic=True))
    params = init(jax.random.key(0), x, count)
    short = encode(params, x, count)
    longer = np.concatenate([x, np.full((2, 3, 7, 4), 1e3, np.float32)], axis=2)
    longer[0, 1, 5:] = 77.0
    padded = encode(params, longer, count)
    np.testing.assert_allclose(padded, short, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FRAME_ENCODERS)
def test_no_frames_at_all_have_a_finite_gradient(name: str) -> None:
    x = jnp.zeros((1, 1, 8, 4))
    encoder = make_frame_encoder({"name": name, "width": 8}, dtype=jnp.float32)
    nothing = jnp.zeros((1, 1), jnp.int32)
    init = jax.jit(functools.partial(encoder.init, deterministic=True))
    params = init(jax.random.key(0), x, nothing)
    gradient = jax.jit(
        jax.grad(lambda p: encoder.apply(p, x, nothing, deterministic=True).sum())
    )(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def augmented(x: np.ndarray, count: np.ndarray, **options: float) -> np.ndarray:
    return FrameAugmentation(**options).apply(
        {}, x, count, deterministic=False, rngs={"dropout": jax.random.key(1)}
    )


def test_augmentation_hides_a_stretch_and_a_band_of_the_asked_size() -> None:
    x, count = np.ones((200, 40, 10), np.float32), np.full(200, 30, np.int32)
    y = np.asarray(augmented(x, count, time_mask=0.5, feature_mask=0.3))
    assert not y[:, 30:].any()
    frames_hidden = (~y[:, :30].any(2)).sum(1)
    bands_hidden = (~y[:, :30].any(1)).sum(1)
    assert frames_hidden.max() <= 16 and bands_hidden.max() <= 3
    # A draw is uniform from nothing to the most.
    assert abs(frames_hidden.mean() - 7.5) < 1.5 and len(set(bands_hidden)) == 4
    # What is hidden lies in one piece.
    assert (np.abs(np.diff(~y[:, :30].any(2), axis=1)).sum(1) <= 2).all()


def test_gain_shifts_all_of_an_utterance_and_no_padding() -> None:
    x, count = np.zeros((300, 6, 4), np.float32), np.full(300, 4, np.int32)
    y = augmented(x, count, gain=0.5)
    np.testing.assert_array_equal(y[:, :4], np.broadcast_to(y[:, :1, :1], (300, 4, 4)))
    assert not y[:, 4:].any()
    assert 0.45 < np.abs(y).max() <= 0.5 and abs(y[:, 0, 0].mean()) < 0.05


def test_without_augmentation_and_in_evaluation_nothing_changes() -> None:
    x, count = RNG.normal(size=(3, 6, 4)).astype(np.float32), np.full(3, 6, np.int32)
    np.testing.assert_array_equal(augmented(x, count), x)
    still = FrameAugmentation(time_mask=0.5, noise=1.0)
    np.testing.assert_array_equal(still.apply({}, x, count, deterministic=True), x)
