"""The leak study turns on what it says, names it in every table, and nothing else."""

import json
import pathlib

import numpy as np
import pytest

from benchmarks.leak_settings import CONTROLS, RUNS, Study
from benchmarks.leak_summary import load, summarise
from benchmarks.leak_tables import draw, tables
from benchmarks.leaks import measure
from benchmarks.studies.leaks import LEAKS
from dann_jax.data.corpus import Corpus
from dann_jax.experiment.config import unseen_speakers
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol, Role

LABELS = ("anger", "sadness")


def acted() -> Corpus:
    """Four people say four sentences, three times in anger and twice in sadness."""
    rows = [
        (f"p{who}", text, emotion)
        for who in range(4)
        for text in "abcd"
        for emotion, times in zip(LABELS, (3, 2), strict=True)
        for _ in range(times)
    ]
    speaker, text, emotion = (np.array(column) for column in zip(*rows, strict=True))
    return Corpus(
        name="acted",
        columns={
            "utt_id": np.array([f"u{n}" for n in range(len(rows))]),
            "speaker": speaker,
            "text": text,
            "emotion": emotion,
        },
        features={"audio": np.random.default_rng(0).normal(size=(len(rows), 3))},
        present={"audio": np.ones(len(rows), bool)},
    )


def study() -> Study:
    config = unseen_speakers(LABELS)
    config.timetable.update(epochs=2, gradients_every=0)
    config.encoder.width, config.heads.domain_hidden = 4, (4,)
    corpus = acted()
    protocol = make_protocol(corpus, **config.protocol)
    return Study(config.lock(), corpus, protocol, [["a", "b"], ["c", "d"]])


STUDY = study()


def counts(protocol: Protocol, role: Role) -> list[list[int]]:
    return [
        np.bincount(protocol.label[own == role], minlength=2).tolist()
        for own in protocol.roles
    ]


def test_there_is_a_run_for_every_leak_and_no_other_run_leaks() -> None:
    assert set(CONTROLS) == set(LEAKS)
    assert set(RUNS) == {*CONTROLS, *CONTROLS.values()}
    for word in CONTROLS:
        assert word in RUNS[word](STUDY, 0).task.protocol.allowed_leaks
    for word in set(CONTROLS.values()):
        assert RUNS[word](STUDY, 0).task.protocol.allowed_leaks == ()


@pytest.mark.parametrize("leak", CONTROLS)
def test_a_leak_trains_on_and_tests_as_many_rows_as_its_control(leak: str) -> None:
    leaky, honest = (RUNS[word](STUDY, 0).task for word in (leak, CONTROLS[leak]))
    for role in (Role.LABELLED, Role.TEST):
        assert counts(leaky.protocol, role) == counts(honest.protocol, role)
    np.testing.assert_array_equal(
        leaky.rows_with(Role.TEST), honest.rows_with(Role.TEST)
    )
    plans = [task.plan(task.protocol.visible()) for task in (leaky, honest)]
    assert plans[0].steps_per_epoch == plans[1].steps_per_epoch


@pytest.mark.slow
def test_a_run_leaves_its_leaks_and_counts_and_is_not_repeated(
    tmp_path: pathlib.Path,
) -> None:
    folder = tmp_path / "selection" / "1"
    measure(STUDY, "selection", 1, folder)
    found = json.loads((folder / "scores.json").read_text())
    assert found["protocol"]["allowed_leaks"] == ["selection"]
    assert found["rows"] == {"labelled": 60.0, "tested": 80}
    table = np.array(found["counts"]["dann"])
    assert table.sum((0, 2)).tolist() == [48, 32] and len(table) == 4
    written = (folder / "scores.json").stat().st_mtime_ns
    measure(STUDY, "selection", 1, folder)
    assert (folder / "scores.json").stat().st_mtime_ns == written


def write_scores(output: pathlib.Path, right: dict[str, tuple[int, int]]) -> None:
    """Three speakers, ten rows of each of two classes: so many are right, by arm."""
    for word in RUNS:
        source, dann = right.get(word, (5, 6))
        table = {
            arm: [[[hits, 10 - hits], [10 - hits, hits]]] * 3
            for arm, hits in (("source_only", source), ("dann", dann))
        }
        scores = {
            "protocol": {"allowed_leaks": [word] if word in CONTROLS else []},
            "rows": {"labelled": 40.0, "tested": 60},
            "counts": table,
        }
        for seed in (0, 1):
            folder = output / "emodb" / word / str(seed)
            folder.mkdir(parents=True)
            (folder / "scores.json").write_text(json.dumps(scores))


def test_tables_and_figure_name_every_leak_and_what_it_is_worth(
    tmp_path: pathlib.Path,
) -> None:
    write_scores(tmp_path, {"speaker": (8, 7), "balance": (5, 9)})
    found = json.loads(json.dumps(summarise(load(tmp_path))))
    printed = tables(found)
    for leak in LEAKS:
        assert printed.count(f"| emodb | LEAK: {leak} | ") == 3, leak
    scores = ("50.0 [50.0, 50.0]", "60.0 [60.0, 60.0]")
    assert f"| emodb | honest | 2 | 40 | 60 | {' | '.join(scores * 2)} |" in printed
    worth = ("+30.0 [+30.0, +30.0]", "+10.0 [+10.0, +10.0]")
    assert f"| emodb | LEAK: speaker | 2 | {' | '.join(worth * 2)} |" in printed
    assert (
        "| emodb | LEAK: speaker | 2 | +10.0 [+10.0, +10.0] | -10.0 [-10.0, -10.0] | "
        "-20.0 [-20.0, -20.0] | lowers the gain |"
    ) in printed
    balanced = [line for line in printed.splitlines() if "LEAK: balance" in line]
    assert balanced[-1].endswith("| +30.0 [+30.0, +30.0] | raises the gain |")
    unmoved = [line for line in printed.splitlines() if "LEAK: text" in line]
    assert unmoved[-1].endswith("| +0.0 [+0.0, +0.0] | no difference shown |")
    draw(found, str(tmp_path / "leaks.svg"))
    drawn = (tmp_path / "leaks.svg").read_text()
    assert "<svg" in drawn and "LEAK: speaker" in drawn


def test_a_leak_is_compared_over_the_seeds_that_its_control_has_too(
    tmp_path: pathlib.Path,
) -> None:
    write_scores(tmp_path, {})
    (tmp_path / "emodb" / "text" / "1" / "scores.json").unlink()
    found = summarise(load(tmp_path))["emodb"]
    assert found["runs"]["new_texts"]["seeds"] == 2
    seeds = {leak: own["seeds"] for leak, own in found["leaks"].items()}
    assert seeds == dict.fromkeys(LEAKS, 2) | {"text": 1}
    for seed in (0, 1):
        (tmp_path / "emodb" / "honest" / str(seed) / "scores.json").unlink()
    assert set(summarise(load(tmp_path))["emodb"]["leaks"]) == {"text", "balance"}
    assert load(tmp_path / "elsewhere") == {}
