"""Several raters: votes are read in every form, train as shares and are shown."""

import pathlib
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from planted_files import plant
from runs import tiny_config, tiny_corpus, write_table

from dann_jax.data.corpus import CorpusError
from dann_jax.data.open import open_corpus
from dann_jax.data.raters import VOTES
from dann_jax.data.readers.catalogue import Reading, read_audio_corpus
from dann_jax.evaluation.analysis.raters import rater_records, with_agreement
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.objectives import source_only
from dann_jax.objectives.losses import cross_entropy
from dann_jax.report.page import report_page
from dann_jax.report.run import read_run
from dann_jax.tasks.rater_shares import label_shares
from dann_jax.tasks.roles import Role
from dann_jax.types import Outputs

FORMS = {
    "a rater a column": (
        "file,speaker,r1,r2,r3\n"
        "a.wav,ann,angry,anger,sad\n"
        "b.wav,ann,sad,,angry\n"
        "c.wav,bob,neutral,Neutral,n/a\n",
        ("r1", "r2", "r3"),
    ),
    "all in a cell": (
        "file,speaker,votes\n"
        "a.wav,ann,angry;anger;sad\n"
        "b.wav,ann,sad|angry\n"
        "c.wav,bob,neutral:2\n",
        ("votes",),
    ),
    "the cell of the emotion": (
        "file,speaker,emotion\n"
        'a.wav,ann,"angry, anger, sad"\n'
        "b.wav,ann,sad;angry\n"
        "c.wav,bob,neutral:2\n",
        ("emotion",),
    ),
    "a class a column": (
        "file;speaker;Anger;sad;neutral\n"
        "a.wav;ann;2;1;\n"
        "b.wav;ann;1;1,0;0\n"
        "c.wav;bob;0;0;2\n",
        ("anger", "sad", "neutral"),
    ),
}
SOUNDS = ("a.wav", "b.wav", "c.wav")


def read(
    folder: pathlib.Path, text: str, raters: tuple[str, ...]
) -> dict[str, np.ndarray]:
    plant(folder, *SOUNDS)
    (folder / "manifest.csv").write_text(text)
    return read_audio_corpus("manifest", folder, None, Reading(raters=raters))


@pytest.mark.parametrize("form", FORMS)
def test_votes_are_the_same_in_every_form_and_a_tie_has_no_label(
    form: str, tmp_path: pathlib.Path
) -> None:
    columns = read(tmp_path, *FORMS[form])
    assert columns[VOTES].tolist() == [
        "anger:2;sadness:1",
        "anger:1;sadness:1",
        "neutral:2",
    ]
    assert columns["emotion"].tolist() == ["anger", "", "neutral"]


def test_a_label_of_the_table_itself_stays(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dann_jax")
    text = "file,speaker,emotion,r1,r2\na.wav,ann,sad,angry,angry\nb.wav,ann,,sad,sad\n"
    columns = read(tmp_path, text, ("r1", "r2"))
    assert columns["emotion"].tolist() == ["sadness", ""]
    assert "in 1 of 2 rows" in caplog.text and "sadness for anger (1)" in caplog.text


@pytest.mark.parametrize(
    ("text", "raters", "message"),
    [
        ("file,speaker,r1\na.wav,ann,angry\n", ("r2",), "names 'r2', and the columns"),
        ("file,speaker,r1\na.wav,ann,3\n", ("r1",), "its name must be an emotion"),
        ("file,speaker,joy\na.wav,ann,-1\n", ("joy",), "a: 'joy:-1.0' must have 0"),
        ("file,speaker,joy\na.wav,ann,inf\n", ("joy",), "must have 0 votes or more"),
    ],
)
def test_what_are_no_votes_is_named(
    text: str, raters: tuple[str, ...], message: str, tmp_path: pathlib.Path
) -> None:
    with pytest.raises(CorpusError, match=message):
        read(tmp_path, text, raters)


def test_several_words_in_a_cell_are_told_of_the_flag(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    read(tmp_path, "file,speaker,emotion\na.wav,ann,angry;sad\n", ())
    assert "--raters=emotion" in caplog.text


def test_shares_are_of_the_classes_and_rows_without_votes_are_hard() -> None:
    votes = np.array(["anger:1;joy:2;other:5", "", "other:3", "anger:1"])
    shares = label_shares(votes, np.array([1, 0, 0, -1]), ("anger", "joy"))
    np.testing.assert_allclose(shares[:3], [[1 / 3, 2 / 3], [1, 0], [1, 0]])
    assert np.isnan(shares[3]).all()


def test_the_gradient_is_the_posterior_less_the_shares() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(3, 4)).astype(np.float32)
    shares = random.dirichlet(np.ones(4), 3).astype(np.float32)
    shares[2] = np.nan
    labels = np.array([0, 2, -1])
    gradient = jax.grad(
        lambda x: cross_entropy(logits=x, labels=labels, shares=shares)[0].sum()
    )(logits)
    expected = jax.nn.softmax(logits[:2]) - shares[:2]
    np.testing.assert_allclose(gradient[:2], expected, atol=1e-6)
    assert (gradient[2] == 0).all()


def test_raters_who_agree_are_a_hard_label() -> None:
    logits = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    labels = np.array([0, 1, 2, -1, 1])
    outputs, objective = Outputs(logits, logits, {}), source_only(label_smoothing=0.1)
    hard = SimpleNamespace(label=labels, shares=None)
    soft = SimpleNamespace(label=labels, shares=np.eye(3, dtype=np.float32)[labels])
    assert objective(outputs, hard, {})[0] == objective(outputs, soft, {})[0]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A corpus with two or three raters, who differ in every third row."""
    corpus = tiny_corpus()
    emotion = corpus.columns["emotion"]
    other = np.where(emotion == "anger", "neutral", "anger")
    corpus.columns[VOTES] = np.array(
        [
            f"{own}:2;{also}:1" if row % 3 == 0 else f"{own}:2"
            for row, (own, also) in enumerate(zip(emotion, other, strict=True))
        ]
    )
    return write_table(tmp_path_factory.mktemp("rated"), corpus)


def config_of(table: pathlib.Path, **changes: object) -> ConfigDict:
    small = {"encoder.context": False, "batches.num_buckets": 1, "timetable.epochs": 1}
    return tiny_config(table, small | changes)


def test_a_training_step_sees_the_shares_of_labelled_rows_alone(
    table: pathlib.Path,
) -> None:
    task, _ = build_task_and_layout(config_of(table))
    labelled = task.protocol.roles == Role.LABELLED
    erased = task.protocol.erased_shares()
    assert np.isnan(erased[~labelled]).all()
    np.testing.assert_allclose(erased[labelled].sum(-1), 1, rtol=1e-6)
    dialogues = np.arange(2)[None]
    batch = task.training.index_batch(dialogues, task.buckets[-1], [0])
    known = batch.label >= 0
    assert (np.isnan(batch.shares).all(-1) == ~known).all()
    assert (batch.shares[known].argmax(-1) == batch.label[known]).all()
    assert task.evaluation.index_batch(dialogues, task.buckets[-1], [0]).shares is None


def test_hard_labels_are_trained_on_where_they_are_asked_for(
    table: pathlib.Path,
) -> None:
    config = config_of(table, **{"protocol.rater_shares": False})
    assert build_task_and_layout(config)[0].protocol.shares is None


def test_the_entropy_of_raters_is_that_of_their_votes(table: pathlib.Path) -> None:
    task, _ = build_task_and_layout(config_of(table))
    record = rater_records(task)
    third = -(2 / 3 * np.log2(2 / 3) + 1 / 3 * np.log2(1 / 3))
    differ = np.arange(len(task.corpus)) % 3 == 0
    # A table keeps its order.
    assert record["all"]["entropy"] == pytest.approx(third * differ.mean())
    assert record["all"]["agree"] == pytest.approx(1 - differ.mean())
    column = with_agreement(task.corpus).column("raters")
    assert (column == np.where(differ, "they differ", "all agree")).all()


def test_votes_follow_the_words_of_the_labels(table: pathlib.Path) -> None:
    votes = open_corpus(table, labels=("joy",)).column(VOTES)
    assert not any("joy" in text for text in votes)
    own = table.parent / "own.csv"
    own.write_text("word,emotion\nanger,negative\nsadness,negative\n")
    votes = open_corpus(table, emotions=own).column(VOTES)
    assert any("negative:2" in text for text in votes)
    assert not any("anger" in text for text in votes)


@pytest.mark.slow
def test_a_run_learns_the_shares_and_its_page_shows_them(
    table: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    changes = {"analysis.rows": 60, "analysis.replicas": 1, "analysis.maps": ()}
    train_and_evaluate(config_of(table, **changes), tmp_path / "run")
    page = report_page(read_run(tmp_path / "run"))
    assert "How far the raters agree" in page and "by raters in %" in page
    assert (tmp_path / "run" / "bundle").is_dir()
