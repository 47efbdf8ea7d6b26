"""A bundle: the same predictions anywhere, and no others than it should make."""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable
from unittest import mock

import jax
import numpy as np
import pytest
from bundles import (
    ADVERSARIES,
    LABELS,
    drawn_params,
    drawn_standardiser,
    hearing_bundle,
    tiny_bundle,
    tiny_description,
    write_tiny,
)
from corpora_and_batches import toy_corpus

from dann_jax.bundle import (
    Bundle,
    BundleError,
    Modality,
    files,
    load_bundle,
    write_bundle,
)
from dann_jax.bundle.card import model_card
from dann_jax.bundle.description import modalities_of
from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.features.audio import AudioError, resample
from dann_jax.data.features.catalogue import make_extractor


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Dialogues of three and four turns: one shape to compile."""
    corpus = toy_corpus(2)
    dialogue = corpus.columns["dialogue"]
    rows = np.char.endswith(dialogue, "d0") | np.char.endswith(dialogue, "d3")
    return Corpus(
        corpus.name,
        *(
            {name: own[rows] for name, own in part.items()}
            for part in (corpus.columns, corpus.features, corpus.present)
        ),
    )


@pytest.fixture(scope="module")
def bundle(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "bundle", corpus)


@pytest.fixture
def copy(bundle: Bundle, corpus: Corpus, tmp_path: pathlib.Path) -> pathlib.Path:
    """A bundle that a test may damage."""
    tiny_bundle(tmp_path / "copy", corpus)
    return tmp_path / "copy"


# What it predicts.


def test_a_copied_bundle_predicts_the_same_bits(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    description = tiny_description(modalities_of(corpus))
    params, moments = drawn_params(description), drawn_standardiser(description)
    kept = {name: tree for name, tree in params.items() if name != "speaker_head"}
    before = Bundle(description, jax.tree.map(np.asarray, kept), moments)
    write_bundle(tmp_path / "here", description, params, moments)
    shutil.move(tmp_path / "here", tmp_path / "elsewhere")
    after = load_bundle(tmp_path / "elsewhere")
    one, other = (own.predict_corpus(corpus) for own in (before, after))
    np.testing.assert_array_equal(one.view(np.uint32), other.view(np.uint32))


def test_rows_are_probabilities(bundle: Bundle, corpus: Corpus) -> None:
    found = bundle.predict_corpus(corpus)
    assert found.shape == (len(corpus), len(LABELS)) and found.dtype == np.float32
    assert (found > 0).all()
    np.testing.assert_allclose(found.sum(1), 1.0, rtol=1e-6)
    assert np.ptp(found, axis=0).min() > 0.01


def test_the_ensemble_is_the_mean_of_its_members_probabilities(
    bundle: Bundle, corpus: Corpus
) -> None:
    each = [bundle.member(place).predict_corpus(corpus) for place in range(2)]
    assert np.abs(each[0] - each[1]).max() > 0.05
    np.testing.assert_allclose(
        bundle.predict_corpus(corpus), np.mean(each, axis=0), rtol=1e-6
    )


def test_how_many_dialogues_go_together_changes_nothing_but_rounding(
    bundle: Bundle, corpus: Corpus
) -> None:
    one, other = (bundle.predict_corpus(corpus, batch_size=size) for size in (1, 5))
    np.testing.assert_allclose(one, other, rtol=1e-5)


def test_an_utterance_is_heard_within_its_dialogue(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    encoder = {"width": 4, "heads": 2, "context": True}
    bundle = tiny_bundle(tmp_path / "bundle", corpus, encoder=encoder)
    alone = {**corpus.columns, "dialogue": np.full(len(corpus), "")}
    heard = bundle.predict_corpus(corpus)
    by_itself = bundle.predict_corpus(dataclasses.replace(corpus, columns=alone))
    assert np.abs(heard - by_itself).max() > 1e-3


def test_labels_are_not_looked_at(bundle: Bundle, corpus: Corpus) -> None:
    columns = {k: v for k, v in corpus.columns.items() if k != "emotion"}
    blind = dataclasses.replace(corpus, columns=columns)
    np.testing.assert_array_equal(
        bundle.predict_corpus(corpus), bundle.predict_corpus(blind)
    )


def test_a_waveform_is_heard_as_its_features_are(tmp_path: pathlib.Path) -> None:
    bundle = hearing_bundle(tmp_path / "bundle")
    waveform = np.sin(np.arange(4000.0) ** 1.2).astype(np.float32)
    label, probabilities = bundle.predict(waveform, 8000)
    extractor = make_extractor("functionals")
    features = extractor.compute(resample(waveform, 8000, 16000))
    corpus = Corpus(
        "one",
        {"utt_id": np.array(["u"]), "speaker": np.array([""])},
        {"voice": features[None]},
        {"voice": np.ones(1, bool)},
        {"features": {"voice": extractor.provenance()}},
    )
    (expected,) = bundle.predict_corpus(corpus)
    assert list(probabilities) == list(LABELS)
    assert list(probabilities.values()) == expected.tolist()
    assert label == LABELS[expected.argmax()]


@pytest.mark.parametrize(
    "waveform", [np.zeros((2, 100)), np.zeros(0), np.full(100, np.nan)], ids=str
)
def test_what_is_no_waveform_is_refused(
    waveform: np.ndarray, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(AudioError, match="the waveform (is of shape|holds NaN)"):
        hearing_bundle(tmp_path / "bundle").predict(waveform, 16000)


# What it refuses.


def with_features(corpus: Corpus, name: str, array: np.ndarray) -> Corpus:
    return dataclasses.replace(corpus, features={**corpus.features, name: array})


def test_features_of_another_size_are_refused(bundle: Bundle, corpus: Corpus) -> None:
    wrong = with_features(corpus, "audio", np.zeros((len(corpus), 5), np.float32))
    with pytest.raises(BundleError, match="expected 3 values .*, found 5 values"):
        bundle.predict_corpus(wrong)


def test_a_missing_modality_is_refused(bundle: Bundle, corpus: Corpus) -> None:
    with pytest.raises(BundleError, match="takes audio, text; .* has audio$"):
        bundle.predict_corpus(corpus.select(("audio",)))


def test_features_made_otherwise_are_refused(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    made = [make_extractor("logmel", n_mels=n).provenance() for n in (40, 64)]
    known, other = (
        dataclasses.replace(corpus, provenance={"features": {"audio": own}})
        for own in made
    )
    bundle = tiny_bundle(tmp_path / "bundle", known)
    bundle.predict_corpus(known)
    with pytest.raises(BundleError, match=r"n_mels \(expected 40, found 64\)"):
        bundle.predict_corpus(other)
    with pytest.raises(BundleError, match="without a record of how they were made"):
        bundle.predict_corpus(corpus)


def test_features_standardised_otherwise_are_refused(
    bundle: Bundle, corpus: Corpus
) -> None:
    wrong = dataclasses.replace(corpus, provenance={"standardised_by": "speaker"})
    with pytest.raises(BundleError, match="by None.*by 'speaker'"):
        bundle.predict_corpus(wrong)


def test_features_that_are_not_finite_are_refused(
    bundle: Bundle, corpus: Corpus
) -> None:
    wrong = with_features(
        corpus, "audio", np.full_like(corpus.features["audio"], np.inf)
    )
    with pytest.raises(CorpusError, match="NaN or infinite"):
        bundle.predict_corpus(wrong)


@pytest.mark.parametrize(
    ("provenance", "reason"),
    [
        (None, "unknown how the features"),
        (
            {"extractor": "sense", "parameters": {}, "sample_rate": 1},
            "no extractor 'sense'",
        ),
        ({"extractor": "logmel"}, "cannot be made here"),
        (
            {**make_extractor("logmel").provenance(), "version": 99},
            r"made otherwise here.*version \(expected 99",
        ),
        (
            {"extractor": "sentence", "sample_rate": None},
            "from a transcript, not from audio",
        ),
    ],
)
def test_what_cannot_be_made_from_audio_is_said(
    provenance: dict | None, reason: str, tmp_path: pathlib.Path
) -> None:
    modalities = {"voice": Modality(3, False, provenance)}
    bundle = write_tiny(tmp_path / "bundle", tiny_description(modalities))
    with pytest.raises(BundleError, match=reason):
        bundle.predict(np.zeros(100, np.float32), 16000)


def test_features_standardised_by_speaker_are_not_made_from_a_recording(
    tmp_path: pathlib.Path,
) -> None:
    bundle = hearing_bundle(tmp_path / "bundle", standardised_by="speaker")
    with pytest.raises(BundleError, match="standardised by 'speaker'"):
        bundle.predict(np.zeros(100, np.float32), 16000)


# What lies on disk.


def test_the_heads_of_adversaries_are_not_kept(bundle: Bundle) -> None:
    assert bundle.description.adversaries == ADVERSARIES
    assert set(bundle.params) == {"encoder", "label_head"}


def test_nor_are_those_with_one_discriminator_for_each_class(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    heads = {"class_wise": list(ADVERSARIES), "domain_hidden": [4]}
    description = tiny_description(modalities_of(corpus), heads=heads)
    params, moments = drawn_params(description), drawn_standardiser(description)
    assert len(params) == 2 + len(LABELS) * len(ADVERSARIES)
    write_bundle(tmp_path / "bundle", description, params, moments)
    found = load_bundle(tmp_path / "bundle")
    assert set(found.params) == {"encoder", "label_head"}
    assert np.isfinite(found.predict_corpus(corpus)).all()


def test_the_description_is_read_as_it_was_written(
    bundle: Bundle, corpus: Corpus
) -> None:
    assert bundle.description == tiny_description(modalities_of(corpus))


def test_a_work_directory_stands_for_its_bundle(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    tiny_bundle(tmp_path / "run" / "bundle", corpus)
    assert load_bundle(tmp_path / "run").labels == LABELS


def edit(**changes: object) -> Callable[[pathlib.Path], None]:
    def apply(folder: pathlib.Path) -> None:
        path = folder / "bundle.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return apply


def rewrite(name: str, change: Callable[[dict], None]) -> Callable:
    def apply(folder: pathlib.Path) -> None:
        with np.load(folder / name) as archive:
            arrays = dict(archive)
        change(arrays)
        np.savez(folder / name, **arrays)

    return apply


KERNEL = "label_head/Dense_0/kernel"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda f: (f / "parameters.npz").unlink(), "has no parameters.npz"),
        (lambda f: (f / "bundle.json").unlink(), "has no bundle.json"),
        (lambda f: (f / "bundle.json").write_text("{"), "not JSON"),
        (lambda f: (f / "bundle.json").write_text("[]"), "does not describe a bundle"),
        (edit(format="other"), "does not describe a bundle"),
        (edit(version=2), "of version 2, this package reads version 1"),
        (edit(labels="anger"), "missing or malformed: labels"),
        (edit(members=[]), "members: nothing is there"),
        (edit(modalities={"audio": {"dim": 3}}), "'audio': missing or malformed: fr"),
        (edit(modalities={"audio": 3}), "'audio': missing or malformed: dim"),
        (edit(encoder={"widht": 4}), "cannot build: .*widht"),
        (edit(encoder={"width": "four"}), "cannot build"),
        (edit(encoder={"width": 5, "context": False}), "expected float32"),
        (edit(labels=["anger", "joy"]), "expected float32"),
        (lambda f: (f / "parameters.npz").write_bytes(b"PK"), "not an .npz"),
        (
            lambda f: (f / "parameters.npz").write_bytes(
                (f / "parameters.npz").read_bytes()[:-400]
            ),
            "damaged bundle",
        ),
        (rewrite("parameters.npz", lambda a: a.pop(KERNEL)), "kernel' is missing"),
        (
            rewrite("parameters.npz", lambda a: a.update(more=np.zeros(1))),
            "'more' does not belong",
        ),
        (
            rewrite("parameters.npz", lambda a: a.update({KERNEL: a[KERNEL] * np.nan})),
            "NaN or infinite",
        ),
        (
            rewrite("standardiser.npz", lambda a: a.pop("mean/audio")),
            "'mean/audio' is missing",
        ),
    ],
)
def test_a_damaged_bundle_says_what_is_wrong(
    damage: Callable[[pathlib.Path], None], reason: str, copy: pathlib.Path
) -> None:
    damage(copy)
    with pytest.raises(BundleError, match=reason) as told:
        load_bundle(copy)
    assert str(copy) in str(told.value) and "\n" not in str(told.value)


def test_a_flipped_bit_is_noticed(copy: pathlib.Path) -> None:
    path = copy / "parameters.npz"
    content = bytearray(path.read_bytes())
    with np.load(path) as archive:
        place = content.index(archive[KERNEL].tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match="CRC"):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["bundle.json", "parameters.npz", "standardiser.npz"])
def test_any_flipped_bit_is_noticed(name: str, copy: pathlib.Path) -> None:
    path, rng = copy / name, np.random.default_rng(0)
    content = path.read_bytes()
    for place in rng.choice(len(content), 40, replace=False):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(BundleError):
            load_bundle(copy)
    path.write_bytes(content)
    load_bundle(copy)


def test_a_change_that_makes_sense_is_told_from_damage_by_its_author(
    copy: pathlib.Path,
) -> None:
    edit(licence="CC BY 4.0")(copy)
    with pytest.raises(BundleError, match=r"bundle\.json is not as it was written"):
        load_bundle(copy)
    (copy / "checksums.txt").unlink()
    assert load_bundle(copy).description.licence == "CC BY 4.0"


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return open, (self.path, "w")


@pytest.mark.parametrize("name", ["parameters.npz", "standardiser.npz"])
def test_nothing_is_unpickled(
    name: str, copy: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(str(sprung))], object)
    rewrite(name, lambda arrays: arrays.update(trap=trap))(copy)
    with pytest.raises(BundleError, match="not an .npz archive of plain arrays"):
        load_bundle(copy)
    assert not sprung.exists()


def test_no_such_folder_is_said(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        load_bundle(tmp_path / "nowhere")


def test_a_folder_of_something_else_is_not_overwritten(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BundleError, match="is no bundle"):
        tiny_bundle(tmp_path, corpus)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_earlier_bundle_is_replaced(copy: pathlib.Path, corpus: Corpus) -> None:
    tiny_bundle(copy, corpus, system="newer")
    assert load_bundle(copy).description.system == "newer"
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("step", ["model_card", "load_bundle"])
def test_a_bundle_that_cannot_be_finished_leaves_the_earlier_one(
    step: str, copy: pathlib.Path, corpus: Corpus
) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    with (
        mock.patch.object(files, step, side_effect=OSError("disk full")),
        pytest.raises(OSError, match="disk full"),
    ):
        tiny_bundle(copy, corpus, system="newer")
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_numbers_that_do_not_fit_the_description_are_not_written(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    description = tiny_description(modalities_of(corpus))
    params = drawn_params(description)
    fewer = dataclasses.replace(description, members=description.members[:1])
    with pytest.raises(BundleError, match="expected float32"):
        write_bundle(tmp_path / "b", fewer, params, drawn_standardiser(fewer))
    assert list(tmp_path.iterdir()) == []


# The model card.


def test_no_name_in_the_card_is_markup_or_a_link() -> None:
    """Names come from anybody's corpus, and a hub shows the card as HTML."""
    trap = "<img src=x>[click](http://trap)"
    plain = tiny_description({})
    compared = {"against": trap, "metric": "ua", "difference": 0.1, "ci95": [0.0, 0.2]}
    rows = {"rows": 20, "speakers": 2, "ua": 0.5}
    card = model_card(
        tiny_description(
            {trap: Modality(3, False, {"extractor": trap})},
            system=trap,
            labels=(trap, "joy", "neutral"),
            adversaries={trap: 2},
            corpora=(trap,),
            licence=trap,
            standardised_by=trap,
            members=({"fold": trap, "seed": 0, "arm": trap, "step": 1},),
            protocol={**plain.protocol, "name": trap, "allowed_leaks": [trap]},
            measured={
                **plain.measured,
                "arm": trap,
                "comparisons": [compared],
                "groups": {trap: {trap: rows}},
            },
        )
    )
    shown = r"&lt;img src=x&gt;\[click\](http://trap)"
    assert card.count(shown) == 15
    assert "<" not in card and "](http" not in card.replace(shown, "")


def test_the_card_says_what_is_known_and_what_is_not(
    corpus: Corpus, tmp_path: pathlib.Path
) -> None:
    def card(**changes: object) -> str:
        tiny_bundle(tmp_path / "bundle", corpus, **changes)
        return " ".join((tmp_path / "bundle" / "MODEL_CARD.md").read_text().split())

    plain = card()
    for words in (
        "Model card: toy system",
        "anger, joy, neutral",
        "ua: 50.00",
        "licence of the data is unknown",
        "That ensemble has not been tested",
        "No scores by gender",
        "lie detector",
        "transductive",
    ):
        assert words in plain
    assert "dialogues of one turn" not in plain
    measured = {
        **tiny_description({}).measured,
        "groups": {
            "gender": {
                "f": {"rows": 20, "speakers": 2, "ua": 0.5},
                "m": {"rows": 9, "speakers": 1, "ua": 0.25},
            }
        },
        "speakers": {"ua": {"speakers": 3, "min": 0.25, "median": 0.5, "max": 0.75}},
    }
    full = card(
        measured=measured,
        licence="CC BY 4.0",
        encoder={"width": 4, "heads": 2, "context": True},
        protocol={
            **tiny_description({}).protocol,
            "allowed_leaks": ["speaker"],
        },
        members=({"fold": "all", "seed": 0, "arm": "dann", "step": 1},),
    )
    for words in (
        "- f: ua 50.00 (20 rows, 2 speakers) - m: ua 25.00 (9 rows, 1 speaker)",
        "- ua: from 25.00 to 75.00, median 50.00, of 3 tested speakers",
        "CC BY 4.0",
        "share speaker",
        "dialogues of one turn",
    ):
        assert words in full
    assert "ensemble" not in full
