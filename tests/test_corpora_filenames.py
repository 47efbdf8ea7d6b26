"""Corpora that are read from the names of their files, as miniature trees."""

import itertools
import logging
import pathlib
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from planted_files import plant

from dann_jax.data.corpus import CorpusError
from dann_jax.data.harmonise import EMOTIONS, emotion_map
from dann_jax.data.readers import crema_d, emodb, emovo, ravdess, savee, tess, urdu
from dann_jax.data.readers.catalogue import read_audio_corpus
from dann_jax.data.readers.filenames import Counts, differences

Columns = dict[str, np.ndarray]


def only_row(columns: Columns) -> dict[str, str]:
    assert {len(column) for column in columns.values()} == {1}
    return {name: str(column[0]) for name, column in columns.items()}


ROWS: list[tuple[str, str, dict[str, str]]] = [
    (
        "emodb",
        "wav/03a01Fa.wav",
        {
            **{"utt_id": "03a01Fa", "speaker": "03", "gender": "m", "sentence": "a01"},
            **{"emotion": "happiness", "emotion_word": "F", "version": "a"},
            **{"language": "de", "text": "Der Lappen liegt auf dem Eisschrank."},
        },
    ),
    ("emodb", "16b10Wb.wav", {"speaker": "16", "gender": "f", "emotion": "anger"}),
    ("emodb", "08a02L.wav", {"version": "", "emotion": "boredom"}),
    (
        "ravdess",
        "Actor_12/03-01-05-01-02-01-12.wav",
        {
            **{"utt_id": "03-01-05-01-02-01-12", "speaker": "12", "gender": "f"},
            **{"emotion": "anger", "intensity": "normal", "repetition": "01"},
            **{"text": "Dogs are sitting by the door", "language": "en"},
        },
    ),
    (
        "ravdess",
        "03-01-02-02-01-02-23.wav",
        {"gender": "m", "emotion": "calm", "intensity": "strong"},
    ),
    (
        "crema_d",
        "AudioWAV/1001_DFA_ANG_XX.wav",
        {
            **{"utt_id": "1001_DFA_ANG_XX", "speaker": "1001", "gender": "m"},
            **{"emotion": "anger", "intensity": "", "text": "Don't forget a jacket."},
        },
    ),
    (
        "crema_d",
        "1091_IEO_FEA_HI.wav",
        {"gender": "f", "emotion": "fear", "intensity": "high"},
    ),
    ("crema_d", "1040_ITH_SAD_X.wav", {"emotion": "sadness", "intensity": ""}),
    (
        "savee",
        "DC_sa01.wav",
        {"utt_id": "DC_sa01", "speaker": "DC", "gender": "m", "emotion": "sadness"},
    ),
    (
        "savee",
        "AudioData/KL/su15.wav",
        {"utt_id": "KL_su15", "speaker": "KL", "emotion": "surprise"},
    ),
    ("savee", "JE/a02.wav", {"emotion": "anger", "sentence": "02"}),
    (
        "tess",
        "OAF_angry/OAF_back_angry.wav",
        {
            **{"utt_id": "OAF_back_angry", "speaker": "OAF", "gender": "f"},
            **{"emotion": "anger", "text": "Say the word back."},
        },
    ),
    ("tess", "YAF_back_ps.wav", {"speaker": "YAF", "emotion": "surprise"}),
    ("tess", "OA_bite_neutral.wav", {"speaker": "OAF", "emotion": "neutral"}),
    (
        "emovo",
        "EMOVO/f1/dis-f1-b1.wav",
        {
            **{"utt_id": "dis-f1-b1", "speaker": "f1", "gender": "f"},
            **{"emotion": "disgust", "sentence": "b1", "language": "it"},
        },
    ),
    ("emovo", "gio-m3-n5.wav", {"gender": "m", "emotion": "happiness"}),
    (
        "urdu",
        "Angry/SM1_F1_A01.wav",
        {
            **{"utt_id": "SM1_F1_A01", "speaker": "SM1", "gender": "m"},
            **{"emotion": "anger", "language": "ur"},
        },
    ),
    ("urdu", "SF11_F2_S04.wav", {"gender": "f", "emotion": "sadness"}),
]


@pytest.mark.parametrize(
    ("corpus", "file", "expected"), ROWS, ids=[file for _, file, _ in ROWS]
)
def test_what_a_name_says(
    tmp_path: pathlib.Path, corpus: str, file: str, expected: dict[str, str]
) -> None:
    row = only_row(read_audio_corpus(corpus, plant(tmp_path, file)))
    assert row["file"] == file
    assert row["corpus"] == corpus
    assert {name: row[name] for name in expected} == expected


FOREIGN = [
    ("emodb", "03c01Fa.wav"),
    ("emodb", "04a01Fa.wav"),
    ("ravdess", "03-02-05-01-02-01-12.wav"),
    ("ravdess", "01-01-05-01-02-01-12.wav"),
    ("ravdess", "03-01-09-01-02-01-12.wav"),
    ("ravdess", "03-01-05-01-02-01-25.wav"),
    ("crema_d", "1001_DFA_ANG_XY.wav"),
    ("savee", "a01.wav"),
    ("tess", "OAF_back.wav"),
    ("emovo", "dis-f4-b1.wav"),
    ("urdu", "SM1_F1_B01.wav"),
]


@pytest.mark.parametrize(("corpus", "file"), FOREIGN)
def test_a_name_of_no_such_corpus(
    tmp_path: pathlib.Path, corpus: str, file: str
) -> None:
    message = rf"holds 1 audio files, none with a name as in {corpus}, such as "
    with pytest.raises(CorpusError, match=message):
        read_audio_corpus(corpus, plant(tmp_path, file))


def test_foreign_and_copied_files_are_counted(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    plant(
        tmp_path,
        "._03a01Fa.wav",
        "03a01Fa.txt",
        "noise.wav",
        "hum.FLAC",
        "wav/03a01Fa.WAV",
        "wav/08a01Na.wav",
        "wav/wav/03a01Fa.wav",
    )
    with caplog.at_level(logging.WARNING):
        columns = emodb.read_emodb(tmp_path)
    assert columns["utt_id"].tolist() == ["03a01Fa", "08a01Na"]
    assert columns["file"].tolist() == ["wav/03a01Fa.WAV", "wav/08a01Na.wav"]
    assert "left out 2 audio files of other names" in caplog.text
    assert "left out 1 audio files of a name that occurs before" in caplog.text
    assert "2 of 10 speakers, 2 of 535 utterances" in caplog.text


def test_a_missing_folder(tmp_path: pathlib.Path) -> None:
    with pytest.raises(CorpusError, match=r"no such folder: .*nowhere"):
        emodb.read_emodb(tmp_path / "nowhere")


def whole_ravdess() -> Iterable[str]:
    for actor, emotion in itertools.product(range(1, 25), range(1, 9)):
        strengths = (1,) if emotion == 1 else (1, 2)
        for strength, text, take in itertools.product(strengths, (1, 2), (1, 2)):
            parts = (3, 1, emotion, strength, text, take, actor)
            yield "-".join(f"{part:02d}" for part in parts) + ".wav"


def whole_savee() -> Iterable[str]:
    for speaker, code in itertools.product(("DC", "JE", "JK", "KL"), "adfhn"):
        for number in range(30 if code == "n" else 15):
            yield f"{speaker}/{code}{number + 1:02d}.wav"
    for speaker, code in itertools.product(("DC", "JE", "JK", "KL"), ("sa", "su")):
        yield from (f"{speaker}/{code}{number + 1:02d}.wav" for number in range(15))


def whole_tess() -> Iterable[str]:
    for speaker, emotion in itertools.product(("OAF", "YAF"), tess.EMOTIONS):
        for a, b in itertools.product("abcdefghij", "abcdefghijklmnopqrst"):
            yield f"{speaker}_{a}{b}_{emotion}.wav"


def whole_emovo() -> Iterable[str]:
    sentences = ("b1", "b2", "b3", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4")
    for emotion, sex, number in itertools.product(emovo.EMOTIONS, "fm", "123"):
        for sentence in (*sentences, "n5", "d1", "d2"):
            yield f"{emotion}-{sex}{number}-{sentence}.wav"


@pytest.mark.parametrize(
    ("read", "files"),
    [
        (ravdess.read_ravdess, whole_ravdess),
        (savee.read_savee, whole_savee),
        (tess.read_tess, whole_tess),
        (emovo.read_emovo, whole_emovo),
    ],
)
def test_the_whole_corpus_by_its_design_is_as_expected(
    tmp_path: pathlib.Path,
    caplog: pytest.LogCaptureFixture,
    read: Callable[[pathlib.Path], Columns],
    files: Callable[[], Iterable[str]],
) -> None:
    names = list(files())
    with caplog.at_level(logging.WARNING):
        columns = read(plant(tmp_path, *names))
    assert len(columns["utt_id"]) == len(names)
    assert caplog.text == ""


SIZES = {
    "emodb": (emodb.EXPECTED, 535),
    "ravdess": (ravdess.EXPECTED, 1440),
    "crema_d": (crema_d.EXPECTED, 7442),
    "savee": (savee.EXPECTED, 480),
    "tess": (tess.EXPECTED, 2800),
    "emovo": (emovo.EXPECTED, 588),
    "urdu": (urdu.EXPECTED, 400),
}


@pytest.mark.parametrize("corpus", SIZES)
def test_expected_counts_add_up_to_the_published_size(corpus: str) -> None:
    expected, size = SIZES[corpus]
    assert sum(expected.emotions.values()) == size
    # Every word of the corpus is in its map, and the map knows no other.
    mapping = emotion_map(corpus)
    words = {word.casefold() for word in expected.emotions}
    assert words | set(EMOTIONS) == set(mapping)


def test_crema_d_has_43_women_of_91_actors() -> None:
    sexes = Counter(crema_d.gender(str(actor)) for actor in range(1001, 1092))
    assert sexes == {"f": 43, "m": 48}


def test_differences_name_what_is_missing_and_what_is_new() -> None:
    columns = {"speaker": np.array(["1", "2"]), "emotion": np.array(["W", ""])}
    text = differences(columns, Counts(2, {"W": 1, "T": 4}))
    assert text == "2 of 5 utterances (T 0 of 4, unlabelled 1 of 0)"


@pytest.mark.parametrize("corpus", ["emodb", "ravdess", "emovo", "urdu"])
def test_real_names_say_what_the_real_manifest_says(
    shared_data: pathlib.Path, corpus: str
) -> None:
    read = read_audio_corpus(corpus, shared_data / corpus)
    real = read_audio_corpus("manifest", shared_data / corpus)
    order = np.argsort(read["file"])
    for name in ("file", "speaker", "gender", "emotion", "language", "corpus"):
        np.testing.assert_array_equal(
            read[name][order], real[name][np.argsort(real["file"])], err_msg=name
        )


@pytest.mark.parametrize(
    ("corpus", "expected"),
    [
        ("ravdess", ravdess.EXPECTED),
        ("emovo", emovo.EXPECTED),
        ("urdu", urdu.EXPECTED),
        (
            "emodb",
            Counts(10, {word: emodb.EXPECTED.emotions[word] for word in "FNTW"}),
        ),
    ],
)
def test_real_counts(shared_data: pathlib.Path, corpus: str, expected: Counts) -> None:
    read = read_audio_corpus(corpus, shared_data / corpus)
    words = {"speaker": read["speaker"], "emotion": read["emotion_word"]}
    assert differences(words, expected) == ""
