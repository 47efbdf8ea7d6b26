"""Statistics of each speaker: whose rows and labels enter, and what they come to."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.data.normalise import standardise_by
from dann_jax.tasks.batches import gather_features
from dann_jax.tasks.domain_standardiser import feature_domains, fit_by_domain
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.speaker_offset import fit_offsets
from dann_jax.tasks.speaker_statistics import KINDS, Standardisation
from dann_jax.tasks.splits import ProtocolError
from dann_jax.tasks.standardise import fit_standardiser
from dann_jax.tasks.task import Task, make_task

SPEAKERS, CLIPS, DIM = 5, 8, 3
ROWS = SPEAKERS * CLIPS
SPEAKER = np.repeat(np.arange(SPEAKERS), CLIPS)
LABEL = np.tile(np.arange(CLIPS) % 2, SPEAKERS).astype(np.int32)


def corpus_of(*, frames: bool = False) -> Corpus:
    """Five speakers, each with an offset; of `voice` one feature is constant."""
    rng = np.random.default_rng(0)
    vectors = (
        rng.normal(size=(ROWS, DIM)) + 3 * rng.normal(size=(SPEAKERS, DIM))[SPEAKER]
    )
    vectors += LABEL[:, None] * [4.0, 0.0, 0.0]
    vectors[:, 2] = 7.0
    features = {"voice": np.float32(vectors)}
    if frames:
        lengths = rng.integers(1, 5, ROWS)
        values = np.repeat(vectors, lengths, axis=0)
        values[:, :2] += rng.normal(size=(len(values), 2))
        features["frames"] = Frames(np.float32(values), lengths)
    return Corpus(
        name="five",
        columns={
            "utt_id": np.array([f"u{row}" for row in range(ROWS)]),
            "speaker": np.array([f"s{number}" for number in SPEAKER]),
        },
        features=features,
        present={name: np.ones(ROWS, bool) for name in features},
    )


def protocol_of() -> Protocol:
    """The first two speakers are each tested in a fold; the last is held out."""
    roles = np.full((2, ROWS), Role.LABELLED, np.int8)
    roles[0, SPEAKER == 0] = roles[1, SPEAKER == 1] = Role.TEST
    roles[:, SPEAKER == 4] = Role.HELD_OUT
    return Protocol(
        name="two folds",
        folds=("one", "two"),
        roles=roles,
        labels=("anger", "joy"),
        label=LABEL,
        test_side=roles == Role.TEST,
        adapt_side=np.zeros_like(roles, bool),
        transductive=False,
    )


CORPUS, PROTOCOL = corpus_of(frames=True), protocol_of()


def how(kind: str, k: float = 5.0) -> Standardisation:
    return Standardisation("speaker", kind, k)


def standardised(corpus: Corpus, kind: str, fold: int = 0, **changes: object) -> dict:
    """Modality -> vectors or frames as a fold's batches have them."""
    protocol = dataclasses.replace(PROTOCOL, **changes)
    fitted, _ = fit_by_domain(corpus, protocol, how(kind))
    ids, found = feature_domains(corpus, how(kind)), {}
    for name, (mean, scale) in fitted.items():
        array = corpus.features[name]
        framewise = isinstance(array, Frames)
        values = array.values if framewise else array
        own = np.repeat(ids, array.lengths) if framewise else ids
        found[name] = (values - mean[fold, own]) / scale[fold, own]
    return found


def with_voice(rows: np.ndarray, value: object) -> Corpus:
    voice = CORPUS.features["voice"].copy()
    voice[rows] = value
    features = {**CORPUS.features, "voice": voice}
    return dataclasses.replace(CORPUS, features=features)


@pytest.mark.parametrize("fold", [0, 1])
def test_z_is_what_standardising_the_corpus_beforehand_was(fold: int) -> None:
    before = standardise_by(CORPUS, "speaker")
    fitted = fit_standardiser(before, PROTOCOL)
    for name, values in standardised(CORPUS, "z", fold).items():
        mean, scale = fitted[name]
        array = before.features[name]
        array = array.values if isinstance(array, Frames) else array
        expected = (array - mean[fold]) / scale[fold]
        np.testing.assert_allclose(values, expected, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_labelled_rows_are_standard_and_nothing_is_nan(kind: str) -> None:
    for fold, roles in enumerate(PROTOCOL.roles):
        found = standardised(CORPUS, kind, fold)
        labelled = roles == Role.LABELLED
        for values, rows in (
            (found["voice"], labelled),
            (found["frames"], np.repeat(labelled, CORPUS.features["frames"].lengths)),
        ):
            assert np.isfinite(values).all()
            np.testing.assert_allclose(values[rows].mean(0), 0, atol=1e-4)
            np.testing.assert_allclose(values[rows].std(0)[:2], 1, rtol=1e-4)
            np.testing.assert_allclose(values[:, 2], 0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_rows_that_are_not_labelled_have_no_influence(kind: str) -> None:
    label = LABEL.copy()
    label[SPEAKER == 0] = 1 - label[SPEAKER == 0]
    label[SPEAKER == 4] = -1
    clean, other = standardised(CORPUS, kind), standardised(CORPUS, kind, label=label)
    np.testing.assert_array_equal(other["voice"], clean["voice"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_tested_speaker_moves_nobody_else(kind: str) -> None:
    tested = SPEAKER == 0
    clean = standardised(CORPUS, kind)["voice"]
    moved = standardised(with_voice(tested, 1e4), kind)["voice"]
    np.testing.assert_array_equal(moved[~tested], clean[~tested])


def test_what_is_shrunk_lies_between_the_training_speakers_and_the_own() -> None:
    few = dataclasses.replace(
        CORPUS,
        columns={**CORPUS.columns, "speaker": CORPUS.column("speaker").copy()},
    )
    few.columns["speaker"][3:CLIPS] = ""  # Three clips are left of the tested one.
    fitted, priors = fit_by_domain(few, PROTOCOL, how("shrunk", k=2.0))
    prior = priors["voice"][0]
    voice = few.features["voice"].astype(np.float64)
    labelled = PROTOCOL.roles[0] == Role.LABELLED
    np.testing.assert_allclose(prior.mean, voice[labelled].mean(0), rtol=1e-6)
    within = [voice[labelled & (s == SPEAKER)].var(0) for s in (1, 2, 3)]
    expected = np.sqrt(np.mean(within, 0) * CLIPS / (CLIPS - 1))
    np.testing.assert_allclose(prior.scale[:2], expected[:2], rtol=1e-6)
    mean = 3 / 5 * voice[:3].mean(0) + 2 / 5 * prior.mean
    scale = 2 / 4 * voice[:3].std(0) + 2 / 4 * prior.scale
    np.testing.assert_allclose(
        fitted["voice"][0][0, 0], mean + scale * prior.centre, rtol=1e-5
    )
    np.testing.assert_allclose(
        fitted["voice"][1][0, 0], scale * prior.spread, rtol=1e-5
    )


def test_rows_of_nobody_have_the_statistics_of_the_training_rows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    nobody = dataclasses.replace(
        CORPUS, columns={**CORPUS.columns, "speaker": CORPUS.column("speaker").copy()}
    )
    nobody.columns["speaker"][0] = ""
    fitted, priors = fit_by_domain(nobody, PROTOCOL, how("z"))
    assert "1 of 40 rows have no speaker" in caplog.text
    assert feature_domains(nobody, how("z"))[0] == SPEAKERS
    prior, mean = priors["voice"][0], fitted["voice"][0]
    assert mean.shape == (2, SPEAKERS + 1, DIM) and mean.dtype == np.float32
    np.testing.assert_allclose(
        mean[0, SPEAKERS], prior.mean + prior.scale * prior.centre, rtol=1e-6
    )


def test_who_shows_one_emotion_only_keeps_it_by_the_label_aware_offset() -> None:
    rng = np.random.default_rng(1)
    classes, dim, speakers = 3, 6, 12
    means = 3 * rng.normal(size=(classes, dim))
    offsets = rng.normal(size=(speakers, dim))
    label = {s: np.arange(30) % classes for s in range(speakers)}
    clips = {
        s: means[label[s]] + offsets[s] + 0.5 * rng.normal(size=(30, dim))
        for s in range(speakers)
    }
    model = fit_offsets(clips, label, classes)
    offset = rng.normal(size=dim)
    angry = means[1] + offset + 0.5 * rng.normal(size=(20, dim))
    found = model.offset(angry)
    # The model's class means are those of the training speakers, offsets and all.
    truth = offset - offsets.mean(0)
    plain = angry.mean(0) - means.mean(0) - offsets.mean(0)
    assert np.linalg.norm(found - truth) < 0.2 * np.linalg.norm(plain - truth)
    assert np.isfinite(model.offset(angry[:1])).all()


def test_the_device_gathers_what_the_host_does() -> None:
    task = task_of("shrunk")
    assemble = task.training
    index = assemble.index_batch(np.arange(4).reshape(2, 2), 1, [0, 1])
    tables, statistics = assemble.tables(), assemble.standardiser_of([0, 1])
    host = gather_features(index, tables, statistics)
    assert host.feature_domain is None
    traced = gather_features(
        index._replace(
            inputs={name: jnp.asarray(at) for name, at in index.inputs.items()},
            feature_domain=jnp.asarray(index.feature_domain),
        ),
        {name: jnp.asarray(table) for name, table in tables.items()},
        {
            name: tuple(map(jnp.asarray, statistic))
            for name, statistic in statistics.items()
        },
    )
    for name, values in host.inputs.items():
        np.testing.assert_allclose(traced.inputs[name], values, atol=1e-5)
    row = index.row[1, 0, 0]
    expected = standardised(CORPUS, "shrunk", 1)["voice"][row]
    shown = bool(index.visible[1, 0, 0])
    np.testing.assert_allclose(host.inputs["voice"][1, 0, 0], expected * shown)


def task_of(kind: str, protocol: Protocol = PROTOCOL) -> Task:
    return make_task(
        *(CORPUS, protocol, {}),
        batch_size=4,
        num_buckets=1,
        standardisation=how(kind),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_is_transductive_by_it(kind: str) -> None:
    assert task_of(kind).transductive


def test_label_aware_needs_classes() -> None:
    values = np.zeros((ROWS, 1))
    ratings = dataclasses.replace(PROTOCOL, targets=("valence",), value=values)
    with pytest.raises(ProtocolError, match="label_aware.* needs classes"):
        task_of("label_aware", ratings)
    assert task_of("shrunk", ratings).units is not None
