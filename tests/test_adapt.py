"""`dann-adapt`: recordings without labels in, their emotions out, and what is known."""

import csv
import pathlib

import numpy as np
import pytest
import soundfile
from commands import Call, assert_refused
from commands import call as call

from dann_jax.bundle import load_bundle
from dann_jax.cli import adapt, predict
from dann_jax.data.manifest import write_manifest
from dann_jax.data.prepare import prepare
from dann_jax.data.synthetic.source_filter import SAMPLE_RATE
from dann_jax.data.synthetic.speakers import EMOTIONS, make_speaker
from dann_jax.data.synthetic.voices import synthesise
from dann_jax.report.run import read_run

TINY = (
    *("--config.protocol.split_args.folds=2", "--config.seeds=2"),
    *("--config.timetable.epochs=2", "--config.encoder.width=8"),
    *("--config.analysis.rows=0", "--config.timetable.gradients_every=0"),
)


def write_sound(path: pathlib.Path, speaker: int, emotion: str, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = synthesise(make_speaker(speaker), emotion, np.random.default_rng(seed))
    soundfile.write(path, samples, SAMPLE_RATE)


def write_silence(path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(SAMPLE_RATE), SAMPLE_RATE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """`data/source`, a labelled store of three speakers, and `mine`, two others."""
    home = tmp_path_factory.mktemp("home")
    rows = []
    for speaker in range(3):
        for seed, emotion in enumerate([*EMOTIONS] * 2):
            name = f"s{speaker}_{seed}.wav"
            write_sound(home / "sound" / name, speaker, emotion, seed)
            rows.append((name, f"s{speaker}", emotion))
    names = ("file", "speaker", "emotion")
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    write_manifest(home / "sound" / "manifest.csv", columns)
    prepare(
        {"manifest": home / "sound"},
        features={"functionals": {}},
        data_dir=home / "data",
        name="source",
        workers=1,
    )
    for speaker, emotion in ((7, "anger"), (7, "neutral"), (8, "sadness")):
        path = home / "mine" / f"p{speaker}" / f"{emotion}.wav"
        write_sound(path, speaker, emotion, 50)
    return home


def words(home: pathlib.Path, workdir: str, to: str = "mine") -> tuple[str, ...]:
    return (
        f"--data.source={home / 'data' / 'source'}",
        *(f"--to={home / to}", f"--workdir={home / workdir}", *TINY),
    )


@pytest.mark.slow
def test_every_recording_is_predicted_or_named(home: pathlib.Path, call: Call) -> None:
    (home / "mine" / "broken.wav").write_bytes(b"no sound")
    write_silence(home / "mine" / "p8" / "quiet.wav")
    ended = call(adapt, *words(home, "run"), "--speakers=folder")
    assert ended.code == 1
    assert "broken.wav" in ended.err.splitlines()[-1]
    assert "quiet.wav is silent: its prediction means nothing" in ended.err
    assert "was not measured: they have no labels" in ended.out
    with (home / "run" / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    sound = sorted((home / "mine").glob("*/*.wav"))
    assert [row["file"] for row in rows] == list(map(str, sound))
    # They are what the bundle says to anybody.
    predicted = call(predict, f"--model={home / 'run'}", *sound)
    for row, again in zip(
        rows, csv.DictReader(predicted.out.splitlines()), strict=True
    ):
        assert row["label"] == again["label"]
        for name in row.keys() - {"file", "label", "duration"}:
            assert float(row[name]) == pytest.approx(float(again[name]), abs=1e-4)
    # The same command finds everything done.
    again = call(adapt, *words(home, "run"), "--speakers=folder")
    assert (again.code, again.out) == (1, ended.out)
    run = read_run(home / "run")
    assert run.results["target"]["speakers"] == 2
    assert "summary" not in run.results["target"]
    of_target = [r for r in run.results["replicas"] if r["fold"] == "target"]
    assert of_target
    assert all(r["n_test"] == 0 and np.isnan(r["ua"]) for r in of_target)
    page = (home / "run" / "report.html").read_text()
    assert "Without labels of the target" in page
    members = load_bundle(home / "run").description.members
    assert [member["fold"] for member in members] == ["target"] * 2
    # Other recordings are another run.
    write_sound(home / "mine" / "p9" / "late.wav", 9, "anger", 1)
    other = call(adapt, *words(home, "run"), "--speakers=folder")
    assert other.code == 1
    assert "choose another --workdir" in other.err
    (home / "mine" / "p9" / "late.wav").unlink()


@pytest.mark.slow
def test_labels_of_a_manifest_score_it_if_that_is_asked_for(
    home: pathlib.Path, call: Call
) -> None:
    files = sorted((home / "mine").glob("p*/*.wav"))
    columns = {
        "file": np.array(list(map(str, files))),
        "speaker": np.array([file.parent.name for file in files]),
        "emotion": np.array([file.stem for file in files]),
    }
    write_manifest(home / "known.csv", columns)
    ended = call(adapt, *words(home, "scored", "known.csv"), "--test_labels")
    assert ended.code == 0
    target = read_run(home / "scored").results["target"]
    assert {*target["summary"]} == {*target["arms"]}
    assert "were used for nothing else" in ended.out


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("empty", "holds no audio"),
        ("nowhere", "no such file or folder"),
        pytest.param("hush", "none of the 1 recordings", marks=pytest.mark.slow),
    ],
)
def test_what_holds_no_recording_is_refused(
    home: pathlib.Path,
    call: Call,
    to: str,
    message: str,
) -> None:
    (home / "empty").mkdir(exist_ok=True)
    write_silence(home / "hush" / "quiet.wav")
    ended = call(adapt, *words(home, f"run_{to}", to))
    assert_refused(ended._replace(err=ended.err.splitlines()[-1] + "\n"), message)


def test_a_folder_of_something_else_is_not_written_to(
    home: pathlib.Path, call: Call
) -> None:
    (home / "thesis").mkdir(exist_ok=True)
    (home / "thesis" / "chapter.tex").write_text("")
    assert_refused(call(adapt, *words(home, "thesis")), "choose another --workdir")
    assert [path.name for path in (home / "thesis").iterdir()] == ["chapter.tex"]


def test_features_that_nobody_can_make_again_are_refused(
    home: pathlib.Path, call: Call
) -> None:
    flags = [word for word in words(home, "other") if "data.source" not in word]
    ended = call(adapt, "--data.source=synthetic", *flags)
    assert_refused(ended, "it is unknown how the features")
