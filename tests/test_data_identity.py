"""A run belongs to its data: other data under it are refused, with what differs."""

import dataclasses
import itertools
import pathlib
import shutil
from collections.abc import Callable, Mapping
from unittest import mock

import numpy as np
import pytest
from corpora_and_batches import toy_corpus
from ml_collections import ConfigDict
from runs import loader_that_stops, tiny_config, tiny_corpus

from dann_jax.bundle import load_bundle
from dann_jax.data.corpus import Corpus
from dann_jax.data.dimensions import with_dimensions
from dann_jax.data.frames import Frames
from dann_jax.data.manifest import write_manifest
from dann_jax.experiment import train
from dann_jax.experiment.evaluate_again import evaluate_again
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.report.run import read_run
from dann_jax.tasks.fingerprint import fingerprint, is_whole
from dann_jax.tasks.fingerprint_differences import differences
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.task import Task, make_task
from dann_jax.training.checkpoint_folders import CheckpointError
from dann_jax.utils.files import WorkdirError, read_json

Change = Callable[[Corpus], Corpus]


def with_columns(corpus: Corpus, /, **columns: np.ndarray) -> Corpus:
    return dataclasses.replace(corpus, columns={**corpus.columns, **columns})


def taken(corpus: Corpus, rows: np.ndarray) -> Corpus:
    """These rows, in this order."""
    return dataclasses.replace(
        corpus,
        columns={name: column[rows] for name, column in corpus.columns.items()},
        features={name: array[rows] for name, array in corpus.features.items()},
        present={name: flags[rows] for name, flags in corpus.present.items()},
    )


def moved(name: str, rows: slice = slice(None), by: int = 1) -> Change:
    """A column whose values have gone to other rows."""

    def change(corpus: Corpus) -> Corpus:
        column = corpus.columns[name].copy()
        column[rows] = np.roll(column[rows], by)
        return with_columns(corpus, **{name: column})

    return change


def with_features(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    def apply(corpus: Corpus) -> Corpus:
        features = {name: change(array) for name, array in corpus.features.items()}
        return dataclasses.replace(corpus, features=features)

    return apply


def one_value(array: np.ndarray) -> np.ndarray:
    """As a store has it that was made again from one mended recording."""
    array = array.copy()
    array[3, 1] = np.nextafter(array[3, 1], np.float32(np.inf))
    return array


def swap_speakers(corpus: Corpus) -> Corpus:
    """As where two speakers of one session had been mixed up."""
    speaker = corpus.columns["speaker"].copy()
    one, other = np.unique(speaker)[:2]
    speaker[corpus.columns["speaker"] == one] = other
    speaker[corpus.columns["speaker"] == other] = one
    return with_columns(corpus, speaker=speaker)


def other_session(corpus: Corpus) -> Corpus:
    """A session of the training side changes places with one of the tested ones."""
    session = corpus.columns["session"].copy()
    session[corpus.columns["session"] == "1"] = "3"
    session[corpus.columns["session"] == "3"] = "1"
    return with_columns(corpus, session=session)


CHANGES: Mapping[str, tuple[Change, str]] = {
    "speakers rotated": (
        swap_speakers,
        "speaker: 42 of 160 rows differ (Ses01_00_000F, ",
    ),
    "labels permuted": (moved("emotion"), "emotion: "),
    "rows dropped": (
        lambda corpus: taken(corpus, np.arange(4, len(corpus))),
        "4 of 160 rows are gone (Ses01_00_000F, Ses01_00_001M, Ses01_00_002F, ...)",
    ),
    "features rescaled": (
        with_features(lambda array: array * np.float32(1.5)),
        "features of 'acoustic': 160 of 160 rows differ",
    ),
    "order changed": (
        lambda corpus: taken(corpus, np.random.default_rng(0).permutation(160)),
        "the order of the rows is another one",
    ),
    "split column changed": (other_session, "session: "),
    "store renewed": (
        with_features(one_value),
        "features of 'acoustic': 1 of 160 rows differ",
    ),
    # Of what no protocol takes, what has changed is said, and not what follows.
    "half a speaker renamed": (
        moved("speaker", slice(75, 85)),
        "speaker: ",
    ),
    "a class gone": (
        lambda corpus: with_columns(
            corpus,
            emotion=np.where(
                corpus.columns["emotion"] == "anger", "joy", corpus.columns["emotion"]
            ),
        ),
        "emotion: ",
    ),
    "language changed": (
        moved("language", slice(0, 40), 5),
        "language: ",
    ),
}


def written(folder: pathlib.Path, corpus: Corpus) -> pathlib.Path:
    """The feature table `toy`, in place of what was there."""
    table = folder / "toy"
    shutil.rmtree(table, ignore_errors=True)
    table.mkdir(parents=True)
    write_manifest(table / "manifest.csv", corpus.columns)
    np.savez(table / "features.npz", **corpus.features)
    return table


def corpus_of_runs() -> Corpus:
    corpus = tiny_corpus()
    language = np.array(["de", "it"])[np.arange(len(corpus)) // 5 % 2]
    return with_columns(corpus, language=language)


class Runs:
    """One table, and copies of a finished and a half-trained run on it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.config = (
            folder,
            self._config(written(folder, corpus_of_runs())),
        )
        train_and_evaluate(self.config, folder / "train")
        shutil.copytree(folder / "train", folder / "evaluate")

        with (
            mock.patch.object(train, "BatchLoader", loader_that_stops(12)),
            pytest.raises(KeyboardInterrupt),
        ):
            train_and_evaluate(self.config, folder / "half-trained")
        assert not (folder / "half-trained" / "results.json").exists()
        assert (folder / "half-trained" / "checkpoints").exists()

    @staticmethod
    def _config(table: pathlib.Path) -> ConfigDict:
        changes = {
            "encoder.context": False,
            "batches.num_buckets": 1,
            "timetable.checkpoint_every": 1,
        }
        return tiny_config(table, changes)

    def go_on(self, how: str) -> dict:
        """Of `train`, `evaluate` and `half-trained`."""
        if how == "evaluate":
            return evaluate_again(self.folder / how)
        return train_and_evaluate(self.config, self.folder / how)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("identity"))


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.slow
@pytest.mark.parametrize("how", ["train", "evaluate", "half-trained"])
@pytest.mark.parametrize("name", CHANGES)
def test_other_data_under_a_run_are_refused_with_what_differs(
    name: str, how: str, runs: Runs
) -> None:
    change, reason = CHANGES[name]
    written(runs.folder, change(corpus_of_runs()))
    before = contents(runs.folder / how)
    with pytest.raises(WorkdirError) as refusal:
        runs.go_on(how)
    message = str(refusal.value)
    assert reason in message and "\n" not in message
    assert str(runs.folder / how) in message
    assert "Choose another --workdir, or put back the old data" in message
    assert contents(runs.folder / how) == before


@pytest.mark.slow
@pytest.mark.parametrize("how", ["train", "evaluate", "half-trained"])
def test_a_checkpoint_knows_its_data_where_the_directory_has_lost_them(
    how: str, runs: Runs
) -> None:
    # Left alone: another test may come after this one.
    kept = (runs.folder / how / "data.json").read_bytes()
    written(runs.folder, swap_speakers(corpus_of_runs()))
    (runs.folder / how / "data.json").unlink()
    with pytest.raises(CheckpointError, match="is of other data"):
        runs.go_on(how)
    (runs.folder / how / "data.json").write_bytes(kept)


@pytest.mark.slow
def test_of_the_same_data_all_go_on_and_say_which_they_are_of(runs: Runs) -> None:
    # A column more, and the same values in another type, are no other data.
    corpus = with_columns(corpus_of_runs(), note=np.full(160, "fine"))
    written(runs.folder, corpus)
    results = [runs.go_on(how) for how in ("train", "evaluate", "half-trained")]
    digest = read_json(runs.folder / "train" / "data.json")["digest"]
    expected = {"digest": digest, "rows": 160, "unknown_until_step": 0}
    for how, own in zip(("train", "evaluate", "half-trained"), results, strict=True):
        assert own["data"] == expected
        assert read_run(runs.folder / how).results["data"] == expected
        assert load_bundle(runs.folder / how).description.data == expected
    assert results[2]["replicas"] == results[0]["replicas"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["evaluate", "train"])
def test_a_run_from_before_goes_on_with_a_line_that_says_what_is_not_known(
    how: str, runs: Runs, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(runs.folder, corpus_of_runs())
    old = Runs.__new__(Runs)
    old.folder, old.config = tmp_path, runs.config
    shutil.copytree(runs.folder / how, tmp_path / how)
    (tmp_path / how / "data.json").unlink()
    for folder in (tmp_path / how / "checkpoints").iterdir():
        (folder / "checksums.txt").unlink()
        path = folder / "_CHECKPOINT_METADATA"
        path.write_text(path.read_text().replace('"checksums"', '"of old"'))
        path.write_text(path.read_text().replace('"data"', '"of older"'))
    results = old.go_on(how)
    assert "learned from the data of now cannot be told" in caplog.text
    assert results["data"]["unknown_until_step"] == 20
    # From now on it is known.
    caplog.clear()
    old.go_on(how)
    assert "data of now" not in caplog.text
    written(runs.folder, swap_speakers(corpus_of_runs()))
    with pytest.raises(WorkdirError, match="speaker: "):
        old.go_on(how)


# The fingerprint itself.


def task_of(corpus: Corpus, **changes: object) -> Task:
    options: dict = {
        "split": "leave_one_out",
        "split_args": {"column": "session"},
        "labels": ("anger", "joy"),
        "validation_folds": 0,
        "disjoint": (),
    }
    protocol = make_protocol(corpus, **{**options, **changes})
    adversaries = {"speaker": {"column": "speaker"}, "place": {"column": "corpus"}}
    return make_task(
        corpus,
        protocol,
        adversaries,
        batch_size=2,
        num_buckets=1,
        normalise_by="gender",
    )


def test_equal_data_have_equal_fingerprints() -> None:
    corpus = toy_corpus()
    wider = {name: column.astype("<U40") for name, column in corpus.columns.items()}
    one, other = (
        fingerprint(task_of(own))
        for own in (corpus, dataclasses.replace(corpus, columns=wider))
    )
    assert one == other and is_whole(one)
    assert differences(one, other) == []


def test_what_nobody_looks_at_is_no_difference() -> None:
    corpus = toy_corpus()
    text = corpus.features["text"].copy()
    text[~corpus.present["text"]] = 3.0
    other = dataclasses.replace(corpus, features={**corpus.features, "text": text})
    one, same = fingerprint(task_of(corpus)), fingerprint(task_of(other))
    assert differences(same, one) == [] and same["digest"] == one["digest"]


@pytest.mark.parametrize(
    ("column", "derived"),
    [
        ("speaker", "domain of the adversary 'speaker'"),
        ("corpus", "domain of the adversary 'place'"),
        ("gender", "domain of the normalisation"),
        ("session", "roles"),
        ("dialogue", "dialogue and turn"),
        ("turn", "dialogue and turn"),
    ],
)
def test_a_changed_column_is_named_with_its_rows_and_what_comes_of_it(
    column: str, derived: str
) -> None:
    corpus = toy_corpus()
    values = corpus.columns[column].copy()
    rows = [4, int(np.flatnonzero(values != values[4])[0])]
    values[rows] = values[rows[::-1]]
    changed = with_columns(corpus, **{column: values})
    names = [corpus.columns["utt_id"][row] for row in sorted(rows)]
    found = differences(fingerprint(task_of(changed)), fingerprint(task_of(corpus)))
    rows_there = len(corpus)
    expected = f"{column}: 2 of {rows_there} rows differ ({', '.join(names)})"
    assert found[0] == expected
    assert any(f"{derived}: " in line for line in found[1:])


def test_one_edited_label_is_told_once() -> None:
    corpus = with_dimensions(toy_corpus())
    words = corpus.columns["emotion"]
    corpus = with_columns(corpus, emotion_word=words)
    row = int(np.flatnonzero(words == "anger")[0])
    edited = np.where(np.arange(len(words)) == row, "joy", words)
    opened = dataclasses.replace(
        corpus, columns={n: c for n, c in corpus.columns.items() if "binary" not in n}
    )
    changed = with_dimensions(with_columns(opened, emotion=edited, emotion_word=edited))
    before = fingerprint(task_of(corpus))
    found = differences(fingerprint(task_of(changed)), before)
    told = f"emotion: 1 of {len(words)} rows differ ({corpus.columns['utt_id'][row]})"
    assert found == [told]
    # Another word for the same emotion is a change of its own.
    renamed = with_columns(corpus, emotion_word=np.char.add(words, "!"))
    (line,) = differences(fingerprint(task_of(renamed)), before)
    assert line.startswith("emotion_word: ")


def test_a_modality_that_some_rows_lost_is_named() -> None:
    corpus = toy_corpus()
    present = {**corpus.present, "text": corpus.present["text"].copy()}
    lost = np.flatnonzero(present["text"])[:3]
    present["text"][lost] = False
    changed = dataclasses.replace(corpus, present=present)
    (found,) = differences(fingerprint(task_of(changed)), fingerprint(task_of(corpus)))
    assert found.startswith(f"features of 'text': 3 of {len(corpus)} rows differ (")


def test_new_rows_and_gone_ones_are_told_from_changed_ones() -> None:
    corpus = toy_corpus()
    half = len(corpus) // 2
    renamed = corpus.columns["utt_id"].copy()
    renamed[half] = "new"
    changed = with_columns(corpus, utt_id=renamed)
    found = differences(fingerprint(task_of(changed)), fingerprint(task_of(corpus)))
    old = corpus.columns["utt_id"][half]
    assert found[0] == f"1 of {len(corpus)} rows are gone ({old})"
    assert found[1] == f"1 of {len(corpus)} rows are new (new)"
    # Those beside it in its dialogue have another neighbour; nothing else has changed.
    assert all("dialogue and turn" in line for line in found[2:])


def test_frames_are_told_apart_to_the_bit_and_by_their_lengths() -> None:
    corpus = toy_corpus()
    values = np.arange(4.0 * len(corpus), dtype=np.float32).reshape(-1, 2)
    other = values.copy()
    other[7, 1] += 1
    lengths = np.full(len(corpus), 2)
    shifted = lengths.copy()
    shifted[[2, 3]] = 1, 3
    prints = [
        fingerprint(
            task_of(
                dataclasses.replace(
                    corpus,
                    features={"frames": Frames(*own)},
                    present={"frames": np.ones(len(corpus), bool)},
                )
            )
        )
        for own in ((values, lengths), (other, lengths), (values, shifted))
    ]
    for one, two in itertools.permutations(prints, 2):
        assert differences(one, two)
    assert ": 1 of" in differences(prints[1], prints[0])[0]
    assert ": 2 of" in differences(prints[2], prints[0])[0]


def test_other_folds_and_classes_are_named() -> None:
    corpus = toy_corpus()
    one = fingerprint(task_of(corpus))
    other = fingerprint(task_of(corpus, labels=("joy", "anger")))
    assert any(
        "are joy, anger, were anger, joy" in line for line in differences(other, one)
    )
    other = fingerprint(
        task_of(corpus, split="group_k_fold", split_args={"column": "session", "k": 2})
    )
    assert any(line.startswith("roles: ") for line in differences(other, one))


def test_a_standardiser_may_differ_by_rounding_and_no_more() -> None:
    one = fingerprint(task_of(toy_corpus()))
    rounded, other = (
        {**one, "standardiser": {name: np.multiply(x, factor).tolist() for name, x in
         one["standardiser"].items()}}
        for factor in (1 + 1e-6, 1.01)
    )  # fmt: skip
    assert differences(rounded, one) == []
    assert differences(other, one) == [
        "'audio' is standardised in another way",
        "'text' is standardised in another way",
    ]


@pytest.mark.parametrize("key", ["rows", "utt_id", "given", "derived", "folds"])
def test_a_damaged_fingerprint_is_no_whole_one(key: str) -> None:
    one = fingerprint(task_of(toy_corpus()))
    assert not is_whole({**one, key: None})
    assert not is_whole({name: one[name] for name in one if name != key})
    assert not is_whole([])
