"""`dann-prepare` from flags to store, in processes of its own, some of them killed."""

import csv
import json
import os
import pathlib
import random
import re
import signal
import time

import numpy as np
import pytest
from commands import Call, assert_refused
from commands import call as call
from damaged_recordings import write_voice
from etils import epath
from forked import PREPARE, Forked

from dann_jax.cli import prepare as prepare_command
from dann_jax.data.corpus import CorpusError
from dann_jax.data.prepare import prepare
from dann_jax.data.store import read_metadata, read_store
from dann_jax.utils.checksums import write_checksums

FEATURES = {"logmel": {}}


@pytest.fixture(autouse=True)
def _cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write_corpus(root: pathlib.Path, utterances: int, dialogue: int = 0) -> None:
    root.mkdir()
    with (root / "manifest.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "speaker", "emotion", "dialogue", "turn"])
        for n in range(utterances):
            write_voice(root / f"{n}.wav", 0.3 + 0.1 * (n % 4), seed=n)
            talk = str(n // dialogue) if dialogue else ""
            writer.writerow(
                [f"{n}.wav", f"s{n % 3}", ("anger", "glee", "fear")[n % 3], talk, n]
            )


def command(
    corpus: pathlib.Path, data: pathlib.Path, *flags: str, features: str = "logmel"
) -> list[str]:
    return [
        *("--corpus=manifest", f"--source={corpus}", f"--data_dir={data}"),
        *(f"--features={features}", *flags),
    ]


def content(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file below a folder, without where the source of a store lies."""
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "source.json"
    }
    for name in files:
        if name.endswith("checksums.txt"):
            lines = files[name].splitlines()
            files[name] = b"\n".join(x for x in lines if b"source.json" not in x)
    return files


def test_a_store_of_dialogues_is_made_and_found_again(tmp_path: pathlib.Path) -> None:
    write_corpus(tmp_path / "corpus", 9, dialogue=3)
    (tmp_path / "corpus" / "4.wav").write_bytes(b"RIFF")
    given = {"features": FEATURES, "data_dir": tmp_path / "data", "name": "mine"}
    said = prepare({"manifest": tmp_path / "corpus"}, **given)
    store = tmp_path / "data" / "mine" / "2.0.0"
    lines = said.splitlines()
    assert re.fullmatch(r"  .*not audio.* \(1\)", lines.pop(3))
    assert lines == [
        "8 utterances of 3 speakers, 0.00 hours",
        "emotions: anger 3, fear 3, unlabelled 2",
        f"errors: 1, in {store}/problems.csv: 11 % OF ALL RECORDINGS ARE LOST",
        f"store: {store}",
        f"train: dann-train --config=recommended --config.data.source={store.parent} "
        "--workdir=runs/mine",
    ]
    # Nothing but the store is left.
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine"]
    corpus = read_store(store)
    assert corpus.columns["utt_id"].tolist() == [*"01235678"]
    assert [rows.tolist() for rows in corpus.dialogues()] == [
        [0, 1, 2],
        [3, 4],
        [5, 6, 7],
    ]
    assert isinstance(corpus.features["logmel"].values, np.memmap)
    few = given | {"per_speaker": 2, "name": "few"}
    assert prepare({"manifest": tmp_path / "corpus"}, **few).startswith("6 utterances")
    with pytest.raises(CorpusError, match="other settings: the manifest is another"):
        prepare({"manifest": tmp_path / "corpus"}, **given | {"name": "few"})
    before = content(tmp_path / "data")
    again = prepare({"manifest": tmp_path / "corpus"}, **given)
    assert again.startswith(f"{store} is there already, made in the same way\n")
    other = given | {"features": {"logmel": {"n_mels": 32}}}
    with pytest.raises(CorpusError, match=r"n_mels \(expected 64, found 32\)"):
        prepare({"manifest": tmp_path / "corpus"}, **other)
    assert content(tmp_path / "data") == before


def test_the_next_step_names_no_run_on_the_data_of_before(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(tmp_path / "corpus", 3)
    monkeypatch.chdir(tmp_path)
    given = {"features": {"prosody": {}}, "data_dir": "data", "name": "mine"}
    earlier = tmp_path / "runs" / "mine" / "config.json"
    earlier.parent.mkdir(parents=True)
    earlier.write_text("{}")
    os.utime(earlier, (1.0, 1.0))
    said = prepare({"manifest": tmp_path / "corpus"}, workers=1, **given)
    assert said.endswith("--workdir=runs/mine-2")
    # A run that began after the store goes on.
    os.utime(earlier)
    said = prepare({"manifest": tmp_path / "corpus"}, workers=1, **given)
    assert said.endswith("--workdir=runs/mine")


def test_problems_list_what_the_table_lacks_and_forget_it_when_mended(
    tmp_path: pathlib.Path,
) -> None:
    folder = tmp_path / "corpus"
    write_corpus(folder, 6)
    (folder / "5.wav").write_bytes((folder / "4.wav").read_bytes())
    manifest = folder / "manifest.csv"
    written = manifest.read_text()
    manifest.write_text(written.replace("0.wav,s0", "0.wav,").replace("glee", "Wut?"))
    given = {"features": {"prosody": {}}, "data_dir": tmp_path / "data", "name": "mine"}

    def problems(**more: bool) -> list[tuple[str, str]]:
        prepare({"manifest": folder}, workers=1, **given, **more)
        path = tmp_path / "data" / "mine" / "2.0.0" / "problems.csv"
        with path.open(newline="") as file:
            return [(row["utt_id"], row["reason"]) for row in csv.DictReader(file)]

    same = [("4", "same sound as 5"), ("5", "same sound as 4")]
    no_word = "no emotion: the map has none for the word 'Wut?'"
    assert problems() == [
        *same,
        ("0", "no speaker: neither labelled nor tested"),
        ("1", no_word),
        ("4", no_word),
    ]
    manifest.write_text(written.replace("glee", "happiness"))
    assert problems(renew=True) == same


def test_a_runner_that_cannot_run_is_told_before_anything_is_read(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CorpusError, match="a runner needs Apache Beam"):
        prepare(
            {"nowhere": tmp_path / "nowhere"},
            name="nowhere",
            data_dir=tmp_path / "stores",
            features={"logmel": {}},
            runner="DirectRunner",
        )
    assert not list(tmp_path.iterdir())


def test_recordings_are_read_whose_names_an_old_disk_has_in_latin_1(
    tmp_path: pathlib.Path,
) -> None:
    root = tmp_path / "corpus"
    write_corpus(root, 2)
    os.rename(root / "1.wav", os.path.join(root, "W\udce4rme.wav"))
    table = (root / "manifest.csv").read_text().replace("1.wav", "Wärme.wav")
    (root / "manifest.csv").write_text(table, encoding="utf-8")
    given = {"features": FEATURES, "data_dir": tmp_path / "data", "name": "mine"}
    prepare({"manifest": root}, **given)
    corpus = read_store(tmp_path / "data" / "mine" / "2.0.0")
    assert corpus.columns["file"].tolist() == ["0.wav", "Wärme.wav"]
    assert "is there already" in prepare({"manifest": root}, **given)
    write_voice(root / "other.wav", 0.7, seed=9)
    os.replace(root / "other.wav", os.path.join(root, "W\udce4rme.wav"))
    with pytest.raises(CorpusError, match=r"recordings that have changed .*Wärme"):
        prepare({"manifest": root}, **given)


def test_two_corpora_in_one_store_keep_their_speakers_apart(
    tmp_path: pathlib.Path,
) -> None:
    # One of them has dialogues and turns.
    write_corpus(tmp_path / "corpus", 4, dialogue=2)
    tree = tmp_path / "emodb"
    tree.mkdir()
    for name in ("03a01Fa", "03a01Nc", "08a01Na"):
        write_voice(tree / f"{name}.wav", 0.4, seed=1)
    prepare(
        {"manifest": tmp_path / "corpus", "emodb": tree},
        features=FEATURES,
        data_dir=tmp_path / "data",
        name="both",
    )
    corpus = read_store(tmp_path / "data" / "both" / "2.0.0")
    assert corpus.columns["corpus"].tolist() == ["manifest"] * 4 + ["emodb"] * 3
    assert corpus.columns["speaker"].tolist() == [
        *("manifest:s0", "manifest:s1", "manifest:s2", "manifest:s0"),
        *("emodb:03", "emodb:03", "emodb:08"),
    ]
    assert corpus.columns["utt_id"][4] == "emodb:03a01Fa"
    assert sorted(rows.tolist() for rows in corpus.dialogues()) == [
        *([0, 1], [2, 3], [4], [5], [6])
    ]


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_if_it_had_not_been(
    tmp_path: pathlib.Path,
) -> None:
    corpus = tmp_path / "corpus"
    write_corpus(corpus, 60, dialogue=5)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    given = {"features": {"waveform": {}}, "name": "manifest"}
    prepare({"manifest": corpus}, data_dir=whole, **given)
    rng = random.Random(0)
    kills = 0
    while kills < 3:
        process = start(corpus, broken, "--workers=2")
        wait_for_parts(process, broken, rng.randrange(8))
        kills += process.poll() is None
        process.kill()
        if process.wait() == 0:
            break
    assert kills
    prepare({"manifest": corpus}, data_dir=broken, workers=3, **given)
    store = ("manifest", "2.0.0")
    assert content(broken.joinpath(*store)) == content(whole.joinpath(*store))


def start(
    corpus: pathlib.Path, data: pathlib.Path, *flags: str, features: str = "waveform"
) -> Forked:
    # Workers import nothing for this feature, which takes seconds for others.
    return Forked(PREPARE, *command(corpus, data, *flags, features=features))


def wait_for_parts(process: Forked, data: pathlib.Path, more: int) -> None:
    """Until there are so many more parts than now, or it ends."""
    parts = data / ".manifest.prepare" / "parts"
    wanted = len(list(parts.glob("*.npz"))) + more
    while process.poll() is None and len(list(parts.glob("*.npz"))) < wanted:
        time.sleep(0.01)


@pytest.mark.slow
def test_the_command_says_what_it_did_and_what_went_wrong(
    tmp_path: pathlib.Path, call: Call
) -> None:
    corpus = tmp_path / "corpus"
    write_corpus(corpus, 5)
    words = command(corpus, tmp_path / "data", "--name=a", "--strict")
    ended = call(prepare_command, *words)
    assert ended.code == 0, ended.err
    assert "5 utterances of 3 speakers" in ended.out
    # The word that the map does not know is named; there is no bar without a terminal.
    assert "glee (2)" in ended.err
    assert "utt/s" not in ended.err
    again = call(prepare_command, *command(corpus, tmp_path / "data", "--name=a"))
    assert (again.code, "there already" in again.out) == (0, True)
    (corpus / "0.wav").write_bytes(b"")
    words = command(corpus, tmp_path / "data", "--name=b", "--strict")
    strict = call(prepare_command, *words)
    assert strict.code == 1
    assert strict.err.splitlines()[-1].startswith(
        "error: 1 of 5 utterances cannot be used, such as '0' (the file is empty"
    )
    assert not (tmp_path / "data" / "b").exists()


@pytest.mark.slow
def test_interrupted_by_hand_it_says_one_line_and_leaves_no_process(
    tmp_path: pathlib.Path,
) -> None:
    corpus = tmp_path / "corpus"
    write_corpus(corpus, 60)
    process = start(corpus, tmp_path / "data")
    wait_for_parts(process, tmp_path / "data", 1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    last = said.splitlines()[-1]
    assert last == "interrupted; the same command goes on where it stopped"
    assert "Traceback" not in said
    wait_for_end_of(process.pid)


def test_ctrl_c_reaches_no_worker_from_its_first_moment() -> None:
    """Blocked when it is born: what it sets up itself comes after its imports."""
    program = """
import signal
from dann_jax.data.features.pool import IsolatedWorker
worker = IsolatedWorker()
for call in (worker.call, lambda function, *words: function(*words)):
    print(*call(signal.pthread_sigmask, signal.SIG_BLOCK, ()))
worker.close()
"""
    said, errors = Forked(program).communicate(timeout=60)
    assert said == "2\n\n", errors


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(tmp_path: pathlib.Path) -> None:
    corpus = tmp_path / "corpus"
    write_corpus(corpus, 60)
    process = start(corpus, tmp_path / "data")
    wait_for_parts(process, tmp_path / "data", 1)
    process.kill()
    process.wait()
    wait_for_end_of(process.pid)


def wait_for_end_of(group: int) -> None:
    """Until no process of the group lives; fails after a while."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("processes are left")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--feature_args={"], "--feature_args is not JSON"),
        (["--feature_args=[1]"], "must map some of logmel to their parameters"),
        (['--feature_args={"mfcc": {}}'], "must map some of logmel"),
        # One corpus is named, so one folder is meant.
        (["--source=a,b"], "no such file or folder: a,b"),
        (["--corpus=emodb,urdu", "--source=a"], "names 1 folders, which commas"),
        (
            ["--corpus=emodb,urdu", "--source=a,b, c"],
            "--corpus names 2, --source names 3 folders, which commas separate",
        ),
        (["--source="], "--source must be given"),
        (["--features=magic"], "there is no extractor 'magic'"),
        (["--corpus=nobody"], "no corpus 'nobody'; there are"),
        (["--corpus=mine=nobody"], "no corpus 'nobody'; there are"),
        (["--corpus=mine="], "names a corpus 'mine='"),
        (["--corpus=manifest,manifest", "--source=a,b"], "--corpus=first=manifest"),
        (["--source=nowhere"], "no such file or folder: nowhere"),
        (["--workers=-1"], "--workers=-1"),
        (["--sorce=x"], "did you mean --source?"),
        (["more"], "unexpected argument 'more'"),
    ],
)
def test_a_flag_that_makes_no_sense_costs_one_line(
    tmp_path: pathlib.Path, flags: list[str], message: str, call: Call
) -> None:
    write_corpus(tmp_path / "corpus", 1)
    words = command(tmp_path / "corpus", tmp_path / "data", *flags)
    assert_refused(call(prepare_command, *words), message)
    assert not (tmp_path / "data").exists()


def test_two_manifests_in_one_store_have_names_of_their_own(
    tmp_path: pathlib.Path, call: Call
) -> None:
    for name in ("one", "two, too"):
        write_corpus(tmp_path / name, 2)
    ended = call(
        prepare_command,
        *("--corpus=home=manifest,work=manifest", "--workers=1"),
        f'--source={tmp_path}/one,"{tmp_path}/two, too"',
        f"--data_dir={tmp_path}/data",
    )
    assert ended.code == 0, ended.err
    corpus = read_store(tmp_path / "data" / "home_work" / "2.0.0")
    assert corpus.columns["corpus"].tolist() == ["home"] * 2 + ["work"] * 2
    assert corpus.columns["speaker"][0] == "home:s0"


def test_package_versions_do_not_make_a_store_another(tmp_path: pathlib.Path) -> None:
    write_corpus(tmp_path / "corpus", 2)
    given = {"features": FEATURES, "data_dir": tmp_path / "data", "name": "mine"}
    prepare({"manifest": tmp_path / "corpus"}, **given)
    store = tmp_path / "data" / "mine" / "2.0.0"
    metadata = read_metadata(store)
    metadata["provenance"]["features"]["logmel"]["packages"] = {"librosa": "0.1"}
    (store / "metadata.json").write_text(json.dumps(metadata))
    write_checksums(epath.Path(store))
    assert "there already" in prepare({"manifest": tmp_path / "corpus"}, **given)
