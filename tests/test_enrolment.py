"""People who are enrolled in a bundle by their unlabelled clips."""

import csv
import dataclasses
import json
import pathlib

import numpy as np
import pytest
from bundles import (
    drawn_params,
    hearing_bundle,
    tiny_description,
    tone,
    write_tones,
)
from commands import Call, assert_refused
from commands import call as call
from corpora_and_batches import toy_corpus

from dann_jax.bundle import Bundle, BundleError, load_bundle, write_bundle
from dann_jax.bundle.description import Modality
from dann_jax.bundle.people import name_of
from dann_jax.bundle.recordings import Clip
from dann_jax.cli import predict
from dann_jax.data.corpus import Corpus
from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.catalogue import make_extractor
from dann_jax.tasks.speaker_offset import OffsetModel
from dann_jax.tasks.speaker_statistics import Prior, speaker_scale
from dann_jax.utils.once import warn_once

K = 5.0


@pytest.fixture(autouse=True)
def _warned_of_nothing() -> None:
    """What is said once in a process is said in each test."""
    warn_once.cache_clear()


def write_enrolling(folder: pathlib.Path, kind: str = "shrunk") -> Bundle:
    """A drawn bundle of two members that standardises each speaker's tones."""
    extractor, rng = make_extractor("functionals"), np.random.default_rng(0)
    made = extractor.provenance()
    modality = Modality(made["dim"], made["framewise"], made)
    description = tiny_description(
        {"voice": modality},
        speaker_statistics={"column": "speaker", "kind": kind, "k": K},
    )
    heard = np.stack([extractor.compute(tone(n, 0.4, 16000)) for n in range(4)])
    mean, scale = heard.mean(0), heard.std(0) + 0.1 * np.abs(heard.mean(0)) + 0.1
    offsets = OffsetModel(
        rng.normal(size=(3, made["dim"])),
        rng.normal(size=(3, made["dim"])),
        np.zeros(3),
        np.full(made["dim"], K),
    )
    prior = Prior(
        *(mean, scale, np.zeros_like(mean), np.ones_like(mean)),
        offsets if kind == "label_aware" else None,
    )
    moments = {"voice": (np.float32([mean] * 2), np.float32([scale] * 2))}
    params = drawn_params(description)
    written = {"voice": (prior, prior)}
    return load_bundle(write_bundle(folder, description, params, moments, written))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("bundles") / "bundle"
    write_enrolling(folder)
    return folder


@pytest.fixture
def bundle(folder: pathlib.Path) -> Bundle:
    return load_bundle(folder)


def clips(*numbers: int) -> list[np.ndarray]:
    return [tone(number, 0.4, 16000) for number in numbers]


def corpus_of(bundle: Bundle, people: dict[str, tuple[int, ...]]) -> Corpus:
    """The tones of people, person by person."""
    tones = [number for own in people.values() for number in own]
    corpus = bundle._corpus_of(clips(*tones), 16000)
    names = [name for name, own in people.items() for _ in own]
    columns = {**corpus.columns, "speaker": np.array(names)}
    return dataclasses.replace(corpus, columns=columns)


def probabilities(bundle: Bundle, waveform: np.ndarray) -> list[float]:
    return list(bundle.predict(waveform, 16000).probabilities.values())


def test_one_clip_moves_the_mean_by_its_share_and_leaves_the_scale(
    bundle: Bundle,
) -> None:
    before, scale = bundle.standardiser["voice"]
    (clip,) = bundle._corpus_of(clips(7), 16000).features["voice"]
    enrolled = bundle.enrol(clips(7), 16000)
    mean, after = enrolled.standardiser["voice"]
    expected = before + (clip - before) / (1 + K)
    np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after, scale, rtol=1e-6)
    assert enrolled.people == ()
    assert np.isfinite(probabilities(enrolled, *clips(2))).all()


def test_each_of_many_people_is_standardised_as_by_themselves(bundle: Bundle) -> None:
    people = {"ann": (0, 1, 2), "bob": (5, 6)}
    corpus = corpus_of(bundle, people)
    together = bundle.enrol_corpus(corpus)
    assert together.people == ("ann", "bob")
    found = together.predict_corpus(corpus)
    alone = [
        list(
            bundle.enrol(clips(*own), 16000).predict(one, 16000).probabilities.values()
        )
        for own in people.values()
        for one in clips(*own)
    ]
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_a_stranger_has_the_statistics_of_the_training_speakers(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    corpus = corpus_of(bundle, {"eve": (3,)})
    expected = bundle.predict_corpus(corpus)
    assert "nobody is enrolled" in caplog.text and "--enrol" in caplog.text
    others = bundle.enrol_corpus(corpus_of(bundle, {"ann": (0, 1), "bob": (5,)}))
    np.testing.assert_allclose(others.predict_corpus(corpus), expected, atol=1e-6)
    assert "of nobody who is enrolled" in caplog.text


def test_label_aware_priors_survive_the_disk_and_enrol(tmp_path: pathlib.Path) -> None:
    bundle = write_enrolling(tmp_path / "b", "label_aware")
    (prior, _) = bundle.priors["voice"]
    assert prior.offsets.class_means.shape == (3, len(prior.mean))
    corpus = corpus_of(bundle, {"ann": (0, 1)})
    values = np.float64(corpus.features["voice"])
    units = (values - prior.mean) / prior.scale
    expected = prior.mean + prior.scale * prior.offsets.offset(units)
    mean, _ = bundle.enrol(clips(0, 1), 16000).standardiser["voice"]
    np.testing.assert_allclose(mean[0], expected, rtol=1e-5, atol=1e-5)


def test_a_member_keeps_who_is_enrolled(bundle: Bundle) -> None:
    corpus = corpus_of(bundle, {"ann": (0, 1), "bob": (5,)})
    enrolled = bundle.enrol_corpus(corpus)
    parts = [enrolled.member(place).predict_corpus(corpus) for place in (0, 1)]
    np.testing.assert_allclose(
        np.mean(parts, 0), enrolled.predict_corpus(corpus), atol=1e-6
    )
    again = enrolled.member(1).enrol(clips(0), 16000)
    assert again.standardiser["voice"][0].shape == (
        1,
        corpus.features["voice"].shape[1],
    )


def test_a_model_that_standardises_all_alike_enrols_nobody(
    tmp_path: pathlib.Path,
) -> None:
    plain = hearing_bundle(tmp_path / "plain")
    with pytest.raises(BundleError, match="data.standardise_by=speaker"):
        plain.enrol(clips(0), 16000)
    earlier = hearing_bundle(tmp_path / "earlier", standardised_by="speaker")
    with pytest.raises(BundleError, match="dann-evaluate --workdir=RUN"):
        earlier.enrol_corpus(toy_corpus())


def test_silence_enrols_nobody(bundle: Bundle) -> None:
    silence = np.zeros(16000, np.float32)
    for nothing in ([], [silence], [silence, silence]):
        with pytest.raises(AudioError, match="none with sound"):
            bundle.enrol(nothing, 16000)
    one, other = (
        bundle.enrol([silence, *clips(0)], 16000),
        bundle.enrol(clips(0), 16000),
    )
    np.testing.assert_array_equal(
        one.standardiser["voice"][0], other.standardiser["voice"][0]
    )


def test_no_scale_is_ever_zero_or_nan() -> None:
    from dann_jax.tasks.moments import moments_of
    from dann_jax.tasks.speaker_statistics import Standardisation, clips_of

    constant = np.full((4, 2), 3.0)
    ones = np.ones(2)
    for k in (0.0, 5.0):
        for rows in ([0], [0, 1, 2, 3]):
            how = Standardisation("speaker", "shrunk", k)
            own = clips_of(how, constant, moments_of(constant), np.array(rows))
            mean, scale = speaker_scale(Prior(ones, ones, 0 * ones, ones), how, own)
            assert np.isfinite(mean).all() and (scale > 0).all()


# On disk.


def test_a_bundle_without_its_priors_is_not_whole(tmp_path: pathlib.Path) -> None:
    write_enrolling(tmp_path / "b")
    path = tmp_path / "b" / "standardiser.npz"
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays}
    kept["prior/scale/voice"][0, 0] = 0.0
    np.savez(path, **kept)
    with pytest.raises(BundleError, match="'prior/scale/voice' holds values that are"):
        load_bundle(tmp_path / "b")
    np.savez(path, **{n: a for n, a in kept.items() if not n.startswith("prior/")})
    with pytest.raises(BundleError, match="'prior/centre/voice' is missing"):
        load_bundle(tmp_path / "b")


@pytest.mark.parametrize("wrong", [{"kind": "z"}, {"column": 1, "kind": "z", "k": 5}])
def test_malformed_statistics_are_named(wrong: dict, tmp_path: pathlib.Path) -> None:
    write_enrolling(tmp_path / "b")
    path = tmp_path / "b" / "bundle.json"
    changed = {**json.loads(path.read_text()), "speaker_statistics": wrong}
    path.write_text(json.dumps(changed))
    with pytest.raises(BundleError, match="malformed: speaker_statistics"):
        load_bundle(tmp_path / "b")


# Whose recording it is.


def test_a_recording_names_its_person() -> None:
    clip = Clip("data/ann/a_1.wav", "a_1.wav", speaker="Ann")
    assert name_of("folder")(clip) == "data/ann"
    assert name_of("column")(clip) == "Ann"
    assert name_of("column")(clip._replace(speaker="n/a")) == ""
    assert name_of(r"([^/]+)_[0-9]+[.]wav")(clip) == "a"
    assert name_of("(x)y")(clip) == ""
    # A file's own name comes before those of the folders that it is in.
    assert name_of("([a-z]+)_[0-9]")(clip._replace(file="by_0/ann_1.wav")) == "ann"
    assert name_of("([a-z]+)/[a-z]+_")(clip) == "ann"


@pytest.mark.parametrize("words", ["folders(", "[a-z]+"])
def test_what_finds_no_name_is_said_before_anything_is_read(words: str) -> None:
    with pytest.raises(ValueError, match="is no regular expression|has no group"):
        name_of(words)


# The command.


@pytest.fixture
def tones(tmp_path: pathlib.Path) -> pathlib.Path:
    """Three recordings of ann, one of bob, and a silent one of ann's."""
    import soundfile

    names = ("ann_1.wav", "ann_2.wav", "ann_3.wav", "bob_1.wav")
    write_tones(tmp_path / "tones", dict.fromkeys(names, 0.4))
    soundfile.write(tmp_path / "tones" / "ann_4.wav", np.zeros(8000), 16000)
    (tmp_path / "empty").mkdir()
    return tmp_path / "tones"


def predicted(text: str) -> dict[str, list[float]]:
    rows = csv.DictReader(text.splitlines())
    return {
        pathlib.Path(row["file"]).name: [
            float(value) for name, value in row.items() if name.startswith("p_")
        ]
        for row in rows
    }


def test_everybody_is_enrolled_by_their_own_recordings(
    call: Call, folder: pathlib.Path, tones: pathlib.Path
) -> None:
    ended = call(predict, f"--model={folder}", "--speakers=([a-z]+)_[0-9]", tones)
    assert ended.code == 0, ended.err
    assert "enrolled 2 people" in ended.err and "1 to 3 of a person" in ended.err
    assert "1 of 2 people have one recording" in ended.err
    found = predicted(ended.out)
    one = call(
        *(predict, f"--model={folder}", f"--enrol={tones}/ann_*.wav"),
        *sorted(tones.glob("ann_*.wav")),
    )
    assert one.code == 0, one.err
    assert "enrolled one person by 3 recordings" in one.err
    for name, probabilities in predicted(one.out).items():
        np.testing.assert_allclose(probabilities, found[name], atol=1e-5)
    plain = call(predict, f"--model={folder}", tones / "ann_1.wav")
    assert "nobody is enrolled" in plain.err
    assert predicted(plain.out)["ann_1.wav"] != found["ann_1.wav"]


def test_what_enrols_nobody_is_one_line(
    call: Call, folder: pathlib.Path, tones: pathlib.Path
) -> None:
    model, sound = f"--model={folder}", tones / "ann_1.wav"
    assert_refused(call(predict, model, "--speakers=(x)y", sound), "names a person")
    silent = f"--enrol={tones}/ann_4.wav"
    assert "has sound" in call(predict, model, silent, sound).err.splitlines()[-1]
    empty = call(predict, model, f"--enrol={tones.parent}/empty", sound)
    assert empty.code == 1 and empty.out == ""
    assert "holds no audio" in empty.err and "has sound" in empty.err
    plain = tones.parent / "plain"
    hearing_bundle(plain)
    assert_refused(
        call(predict, f"--model={plain}", f"--enrol={tones}", sound),
        "data.standardise_by=speaker",
    )
    for words in (["--speakers=[", sound], ["--speakers=folder", "--enrol=x", sound]):
        ended = call(predict, model, *words)
        assert ended.code and not ended.out and "--help shows" in ended.err


def test_the_warning_and_the_card_say_what_enrolling_nobody_costs(
    tmp_path: pathlib.Path, call: Call
) -> None:
    def scores(ua: float) -> dict:
        ends = {"mean": ua, "std": 0.01, "pooled": ua, "ci95": [ua - 0.1, ua + 0.1]}
        return {"ua": ends}

    bundle = write_enrolling(tmp_path / "bundle")
    measured = {**bundle.description.measured, "arm": "dann", "comparisons": []}
    measured |= {"scores": scores(0.613), "unenrolled": scores(0.5), "groups": {}}
    described = dataclasses.replace(bundle.description, measured=measured)
    write_bundle(
        tmp_path / "told", described, bundle.params, bundle.standardiser, bundle.priors
    )
    write_tones(tmp_path / "sounds", {"one.wav": 0.5})
    ended = call(predict, f"--model={tmp_path / 'told'}", tmp_path / "sounds")
    words = "had a UA of 50.0 % where their own recordings have 61.3 %"
    assert ended.code == 0 and words in ended.err
    card = " ".join((tmp_path / "told" / "MODEL_CARD.md").read_text().split())
    assert "when nobody is enrolled: ua 50.00 (40.00 to 60.00)." in card
    plain = " ".join((tmp_path / "bundle" / "MODEL_CARD.md").read_text().split())
    assert "Of people who are not enrolled they were not measured." in plain
