"""Data sets of tensorflow-datasets become folders of audio with a manifest."""

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import soundfile

from dann_jax.data.corpus import CorpusError
from dann_jax.data.readers.catalogue import read_audio_corpus
from dann_jax.data.readers.tfds_audio import export_tfds

CREMA_D = ("NEU", "HAP", "SAD", "ANG", "FEA", "DIS")
SAVEE = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
EXAMPLES: Mapping[str, Mapping[str, list[dict[str, Any]]]] = {
    "crema_d": {
        "train": [
            {"label": "ANG", "speaker_id": "1001"},
            {"label": "NEU", "speaker_id": "1002"},
        ],
        "test": [{"label": "DIS", "speaker_id": "1003"}],
    },
    "savee": {"train": [{"label": "surprise", "speaker_id": "DC"}]},
    "spoken_digit": {
        "train": [{"label": "7", "audio/filename": "7_jackson_32.wav"}],
    },
}
RATES = {"crema_d": 16000, "savee": 44100, "spoken_digit": 8000}


def samples(number: int) -> np.ndarray:
    """One second that is not that of another number; the limits of 16 bits occur."""
    noise = np.random.default_rng(number).integers(-(2**15), 2**15, 8000 + number)
    noise[:2] = -(2**15), 2**15 - 1
    return noise


def prepare(name: str, data_dir: pathlib.Path, gain: int = 1) -> pathlib.Path:
    """Prepare a data set of this name with the features of the real one."""
    import tensorflow_datasets as tfds

    features: dict[str, Any] = {
        "audio": tfds.features.Audio(file_format="wav", sample_rate=RATES[name])
    }
    if name == "spoken_digit":
        features["label"] = tfds.features.ClassLabel(num_classes=10)
        features["audio/filename"] = tfds.features.Text()
    else:
        words = CREMA_D if name == "crema_d" else SAVEE
        features["label"] = tfds.features.ClassLabel(names=list(words))
        features["speaker_id"] = np.str_
    title = name

    def examples(split: str) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, example in enumerate(EXAMPLES[name][split]):
            yield number, {"audio": samples(number) * gain, **example}

    class Prepared(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = title
        VERSION = tfds.core.Version("1.0.0")

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            del dl_manager
            return {split: examples(split) for split in EXAMPLES[name]}

        def _generate_examples(self) -> None:
            raise NotImplementedError

    builder = Prepared(data_dir=data_dir)
    builder.download_and_prepare(download_dir=data_dir / "downloads")
    return pathlib.Path(builder.data_path)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_becomes_a_file_and_a_row(
    tmp_path: pathlib.Path, name: str
) -> None:
    prepare(name, tmp_path / "data")
    folder = export_tfds(name, tmp_path / "data", tmp_path / "audio")
    columns = read_audio_corpus("manifest", folder)
    wanted = [
        (split, example)
        for split, examples in EXAMPLES[name].items()
        for example in examples
    ]
    assert len(columns["utt_id"]) == len(wanted)
    assert sorted(columns["split"]) == sorted(split for split, _ in wanted)
    assert sorted(columns["emotion_word"]) == sorted(e["label"] for _, e in wanted)
    assert set(columns["corpus"]) == {name}
    for file in columns["file"]:
        info = soundfile.info(folder / file)
        assert (info.samplerate, info.subtype) == (RATES[name], "PCM_16")


def test_samples_are_those_of_the_data_set(tmp_path: pathlib.Path) -> None:
    prepare("crema_d", tmp_path / "data")
    folder = export_tfds("crema_d", tmp_path / "data", tmp_path / "audio")
    columns = read_audio_corpus("manifest", folder)
    # The order inside a split is that of the prepared data set.
    numbers = {"1001": 0, "1002": 1, "1003": 0}
    for file, speaker in zip(columns["file"], columns["speaker"], strict=True):
        read, _ = soundfile.read(folder / file, dtype="int16")
        np.testing.assert_array_equal(read, samples(numbers[speaker]))


def test_labels_speakers_and_genders(tmp_path: pathlib.Path) -> None:
    prepare("crema_d", tmp_path / "data")
    folder = export_tfds("crema_d", tmp_path / "data", tmp_path / "audio")
    columns = read_audio_corpus("manifest", folder)
    found = set(
        zip(
            *(columns[name].tolist() for name in ("speaker", "gender", "emotion")),
            strict=True,
        )
    )
    assert found == {
        ("1001", "m", "anger"),
        ("1002", "f", "neutral"),
        ("1003", "f", "disgust"),
    }


def test_a_digit_is_no_emotion(tmp_path: pathlib.Path) -> None:
    prepare("spoken_digit", tmp_path / "data")
    folder = export_tfds("spoken_digit", tmp_path / "data", tmp_path / "audio")
    columns = read_audio_corpus("manifest", folder)
    row = {name: columns[name][0] for name in ("speaker", "digit", "emotion")}
    assert row == {"speaker": "jackson", "digit": "7", "emotion": ""}


def test_the_folder_of_a_version_will_do(tmp_path: pathlib.Path) -> None:
    version = prepare("savee", tmp_path / "data")
    assert version == tmp_path / "data" / "savee" / "1.0.0"
    folder = export_tfds("savee", version, tmp_path / "audio")
    assert read_audio_corpus("manifest", folder)["emotion"].tolist() == ["surprise"]


def test_the_real_builders_have_these_features() -> None:
    import tensorflow_datasets as tfds

    for name, rate in RATES.items():
        (example, *_), *_ = EXAMPLES[name].values()
        features = tfds.builder_cls(name)(data_dir="/nowhere").info.features
        assert set(features) == {"audio", *example}
        assert features["audio"].sample_rate == rate
        assert example["label"] in features["label"].names


def test_nothing_is_left_where_samples_do_not_fit(tmp_path: pathlib.Path) -> None:
    prepare("savee", tmp_path / "data", gain=256)
    with pytest.raises(CorpusError, match=r"savee-train-00000: samples .* 16 bits"):
        export_tfds("savee", tmp_path / "data", tmp_path / "audio")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_damaged_data_set_is_named(tmp_path: pathlib.Path) -> None:
    version = prepare("savee", tmp_path / "data")
    (shard,) = version.glob("*.tfrecord*")
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(CorpusError, match="savee.* is damaged"):
        export_tfds("savee", tmp_path / "data", tmp_path / "audio")


def test_an_existing_folder_is_left_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "audio").mkdir()
    with pytest.raises(CorpusError, match="audio exists; delete it"):
        export_tfds("savee", tmp_path / "data", tmp_path / "audio")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ravdess", "no data set 'ravdess'; there are crema_d"),
        ("crema_d", r"no prepared crema_d; prepare it with .*download_and_prepare"),
    ],
)
def test_what_is_not_there_is_named(
    tmp_path: pathlib.Path, name: str, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        export_tfds(name, tmp_path, tmp_path / "audio")


def test_another_data_set_in_the_folder_is_named(tmp_path: pathlib.Path) -> None:
    version = prepare("savee", tmp_path / "data")
    with pytest.raises(CorpusError, match="holds savee, not crema_d"):
        export_tfds("crema_d", version, tmp_path / "audio")
