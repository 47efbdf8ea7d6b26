"""The study of the adversary: its cells, its sums, and the page made of them."""

import csv
import pathlib
from typing import Any

import numpy as np
import pytest

from benchmarks.emobox import COLUMN, joined
from benchmarks.folds import Counts
from benchmarks.studies import adversary_contrasts
from benchmarks.studies.adversary_cells import (
    CORPORA,
    FEATURES,
    MODES,
    STANDARDISED,
    Cell,
    cells,
    train_flags,
)
from benchmarks.studies.adversary_contrasts import contrasts_of
from benchmarks.studies.adversary_summary import combine, record_of, summarise
from benchmarks.studies.adversary_tables import (
    ARMS,
    table_of_contrasts,
    table_of_gains,
)
from benchmarks.studies.pages import DOCUMENTS, all_tables, filled
from dann_jax.cli.config import change_config, load_config
from dann_jax.experiment.checks import check_config
from dann_jax.utils.files import write_json


def test_every_cell_is_two_configs_that_can_be_run() -> None:
    for cell in cells():
        transductive = cell.mode == "transductive"
        arms: set[str] = set()
        for run in cell.runs:
            flags = train_flags(cell, run, pathlib.Path("out"), seeds=2, epochs=3)
            config = load_config(flags[0].removeprefix("--config="))
            words = [word for word in flags if word.startswith("--config.")]
            assert change_config(config, ["dann-train", *words]) == ["dann-train"]
            check_config(config)
            assert config.seeds == 2
            assert bool(config.protocol.unlabelled) == transductive
            assert arms & {*config.arms} <= {"source_only"}
            arms |= {*config.arms}
        needs_unlabelled = set() if transductive else {"mcc", "dann_mcc"}
        assert arms == {"source_only", *ARMS} - needs_unlabelled


def test_a_cell_whose_runs_disagree_about_source_only_is_refused(
    tmp_path: pathlib.Path,
) -> None:
    cell = Cell("emovo", "pretrained", "none", "transductive")
    workdirs = [tmp_path / run for run in cell.runs]
    for workdir, arm, ua in zip(workdirs, ("dann", "cdan_e"), (0.5, 0.5), strict=True):
        _write_run(workdir, arm, ua)
    found = record_of(cell, workdirs)
    assert found["gain"].keys() == {"dann", "cdan_e"}
    assert found["probe"]["network"].keys() == {"source_only", "dann", "cdan_e"}
    _write_run(workdirs[1], "cdan_e", 0.6)
    with pytest.raises(ValueError, match=r"heads: UA of source_only is \[0\.6"):
        record_of(cell, workdirs)


def _write_run(workdir: pathlib.Path, arm: str, ua: float) -> None:
    workdir.mkdir(exist_ok=True)
    gain = {"arm": arm, "metric": "ua", "difference": 0.1, "p_value": 0.5}
    results = {
        "summary": {"source_only": {"ua": {"pooled": ua, "ci95": [ua, ua]}}},
        "comparisons": [gain | {"ci95": [0.0, 0.2]}],
        "replicas": [{"seed": 0, "fold": "f"}],
    }
    probe = {"place": "encoder", "probe": "network", "accuracy": 0.5, "chance": 0.2}
    analysis = {
        "domains": {"speaker": {"label_shift": 0.0}},
        "probes": [{**probe, "arm": name} for name in ("source_only", arm)],
    }
    write_json(workdir / "results.json", results)
    write_json(workdir / "analysis.json", analysis)


def test_contrasts_are_paired_over_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two seeds, four speakers, two classes; so many of ten are right.
    right = {
        ("urdu", "transductive"): {"source_only": 5, "dann": 6, "mcc": 7},
        ("emovo", "transductive"): {"source_only": 3, "dann": 5, "mcc": 4},
        ("urdu", "inductive"): {"source_only": 5, "dann": 6},
        ("emovo", "inductive"): {"source_only": 3, "dann": 4},
    }

    def counts(workdir: pathlib.Path, _: pathlib.Path) -> dict[str, Counts]:
        cell = by_name[workdir.name]
        more = cell.standardised == "speaker"
        found = {}
        for arm, hits in right[cell.corpus, cell.mode].items():
            table = np.full((2, 4, 2, 2), 10.0 - hits - more)
            table[..., range(2), range(2)] = hits + more
            found[arm] = Counts(table, table)
        return found

    monkeypatch.setattr(adversary_contrasts, "counts_of_run", counts)
    wanted = cells(["emovo", "urdu"], ["pretrained"])
    by_name = {cell.name: cell for cell in wanted}
    found = contrasts_of(wanted, pathlib.Path("out"))["pretrained"]
    answers = {
        corpus: {question: answer[0] for question, answer in own.items()}
        for corpus, own in found["corpora"].items()
    }
    seen = "adversary .3 with the tested rows against without"
    assert answers["urdu"] == pytest.approx(
        {
            "adversary .3 against z by domain": 0.0,
            "MCC against z by domain": 0.1,
            "adversary .3 against MCC": -0.1,
            seen: 0.0,
        }
    )
    assert answers["emovo"][seen] == pytest.approx(0.1)
    assert found["over_corpora"][seen]["mean"] == pytest.approx(0.05)
    table = table_of_contrasts({"contrasts": {"pretrained": found}})
    assert "| adversary .3 against MCC | **+10.0 [10.0, 10.0]** | **-10.0" in table
    # What is not finished is left out.
    found = contrasts_of(wanted[:1], pathlib.Path("out"))["pretrained"]
    assert [*found["corpora"]["emovo"]] == ["adversary .3 against MCC"]
    assert found["over_corpora"] == {}


def test_cells_differ_in_one_thing_each() -> None:
    names = [cell.name for cell in cells()]
    standardised = len(STANDARDISED) - 1
    assert len(names) == len(set(names))
    assert len(names) == len(CORPORA) * len(FEATURES) * (len(MODES) + standardised)


def test_corpora_that_agree_have_their_own_gain_and_no_variance_between() -> None:
    found = combine([(0.05, 0.03, 0.07)] * 3)
    assert found["mean"] == pytest.approx(0.05)
    assert found["tau"] == 0.0


def test_corpora_that_disagree_widen_the_interval() -> None:
    alike = combine([(0.04, 0.02, 0.06), (0.05, 0.03, 0.07), (0.06, 0.04, 0.08)])
    apart = combine([(-0.05, -0.07, -0.03), (0.05, 0.03, 0.07), (0.15, 0.13, 0.17)])
    assert apart["tau"] > alike["tau"]
    assert apart["ci95"][0] < 0 < alike["ci95"][0]


def _record(corpus: str, gains: dict[str, list[float]], **changes: Any) -> dict:
    return {
        **vars(Cell(corpus, "pretrained", "none", "transductive")),
        "seeds": 5,
        "folds": 6,
        "label_shift": 0.0,
        "ua": {"source_only": [0.5, 0.4, 0.6]},
        "gain": gains,
        "probe": {"network": {"source_only": 0.8, "dann": 0.7}},
        "chance": 0.2,
        **changes,
    }


def test_p_values_are_corrected_over_all_cells_of_a_corpus_and_only_those() -> None:
    first = {"dann": [0.1, 0.0, 0.2, 0.01], "mcc": [0.1, 0.0, 0.2, 0.04]}
    other = {"dann": [0.1, 0.0, 0.2, 0.03]}
    found = summarise(
        [
            _record("emovo", first),
            _record("emovo", other, mode="inductive"),
            _record("urdu", {"dann": [0.1, 0.0, 0.2, 0.03]}),
        ]
    )
    corrected = [
        {arm: gain[4] for arm, gain in each["gain"].items()} for each in found["cells"]
    ]
    assert corrected[0] == pytest.approx({"dann": 0.03, "mcc": 0.06})
    assert corrected[1] == pytest.approx({"dann": 0.06})
    assert corrected[2] == pytest.approx({"dann": 0.03})


def test_the_table_has_every_corpus_and_what_holds_over_them() -> None:
    gain = {"dann": [0.1, 0.05, 0.15, 0.01]}
    table = table_of_gains(summarise([_record("emovo", gain), _record("urdu", gain)]))
    assert "| emovo | 5 | 50.0 [40.0, 60.0] | **+10.0 [5.0, 15.0]** |" in table
    assert "**over corpora**" in table


def test_the_documents_say_what_their_json_says() -> None:
    tables = all_tables()
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        assert "<!-- table: " in text
        assert text == filled(text, tables), "python -m benchmarks.studies.pages"


def test_a_document_that_asks_for_an_unknown_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no table 'other'; there are gains"):
        filled("<!-- table: other -->\n<!-- end -->", {"gains": ""})


def test_every_recording_has_the_fold_of_its_speaker(tmp_path: pathlib.Path) -> None:
    _write(tmp_path / "emobox_folds.csv", ["corpus", "speaker", "fold"], ["c", "s", 2])
    (tmp_path / "c" / "audio").mkdir(parents=True)
    _write(tmp_path / "c" / "manifest.csv", ["file", "speaker"], ["audio/a.wav", "s"])
    folder = joined(tmp_path, "c", tmp_path / "out")
    with (folder / "manifest.csv").open(newline="") as file:
        assert next(csv.DictReader(file))[COLUMN] == "2"
    assert (folder / "audio").is_dir()
    _write(tmp_path / "c" / "manifest.csv", ["file", "speaker"], ["audio/a.wav", "x"])
    with pytest.raises(ValueError, match="no fold for the speakers x"):
        joined(tmp_path, "c", tmp_path / "other")


def _write(path: pathlib.Path, *rows: list[Any]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
