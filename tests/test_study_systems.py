"""The tables of the nine systems, from what their runs leave."""

import pathlib

import pytest

from benchmarks.studies import systems
from benchmarks.studies.systems import (
    main,
    record_of,
    table_of_folds,
    table_of_labelled_rows,
    table_of_metrics,
    table_of_run,
)
from dann_jax.utils.files import read_json, write_json


def _leave_run(workdir: pathlib.Path, gain: float, *leaks: str) -> None:
    workdir.mkdir(parents=True)
    scores = {
        arm: {"ua": {"pooled": ua, "ci95": [0.4, 0.6]}, "macro_f1": {}}
        for arm, ua in {"source_only": 0.5, "dann": 0.5 + gain}.items()
    }
    compared = {
        "arm": "dann",
        "metric": "ua",
        "difference": gain,
        "ci95": [gain - 0.02, gain + 0.02],
        "p_value": 0.03,
        "p_corrected": 0.06,
    }
    results = {
        "replicas": [
            {"seed": seed, "fold": "f", "arm": arm, "ua": 0.5 + seed / 10}
            for seed in (0, 1, 2)
            for arm in scores
        ],
        "summary": scores,
        "comparisons": [compared, compared | {"metric": "macro_f1"}],
        "protocol": {"allowed_leaks": leaks} if leaks else {},
    }
    write_json(workdir / "results.json", results)


def test_a_table_has_what_the_run_measured(tmp_path: pathlib.Path) -> None:
    _leave_run(tmp_path / "run", 0.05)
    record = record_of(tmp_path / "run")
    assert record["seeds"] == 3
    table = table_of_run(record)
    assert "| source_only | 50.0 [40.0, 60.0] |  |  |" in table
    assert "| dann | 55.0 [40.0, 60.0] | **+5.0 [3.0, 7.0]** | 0.06 |" in table
    assert table.endswith("3 seeds, 1 fold; pooled, in %.")


def test_a_table_of_folds_has_means_of_the_seeds(tmp_path: pathlib.Path) -> None:
    _leave_run(tmp_path / "run", 0.05)
    assert table_of_folds(record_of(tmp_path / "run")).splitlines() == [
        "| UA of the fold | source_only | dann |",
        "|---|---|---|",
        "| f | 60.0 | 60.0 |",
    ]


def test_a_table_of_metrics_has_a_line_for_each(tmp_path: pathlib.Path) -> None:
    _leave_run(tmp_path / "run", 0.05)
    assert table_of_metrics(record_of(tmp_path / "run")).splitlines() == [
        "|  | source_only [95 %] | dann [95 %] | paired [95 %] |",
        "|---|---|---|---|",
        "| UA | 50.0 [40.0, 60.0] | 55.0 [40.0, 60.0] | **+5.0 [3.0, 7.0]** |",
    ]


def test_a_table_names_the_leaks_of_its_run(tmp_path: pathlib.Path) -> None:
    _leave_run(tmp_path / "run", 0.05, "oracle")
    table = table_of_run(record_of(tmp_path / "run"))
    assert table.endswith("LEAK: oracle. 3 seeds, 1 fold; pooled, in %.")


def test_runs_with_few_labelled_rows_are_lines_by_their_number(
    tmp_path: pathlib.Path,
) -> None:
    found = {}
    for name, gain in (("10", 0.05), ("5", 0.03), ("oracle", 0.2)):
        _leave_run(tmp_path / name, gain)
        found[f"zhou2018-{name}"] = record_of(tmp_path / name)
    assert table_of_labelled_rows(found).splitlines() == [
        "| n | source_only: UA [95 %] | dann: paired [95 %] |",
        "|---|---|---|",
        "| 5 | 50.0 [40.0, 60.0] | **+3.0 [1.0, 5.0]** |",
        "| 10 | 50.0 [40.0, 60.0] | **+5.0 [3.0, 7.0]** |",
    ]


def test_what_is_known_of_runs_that_are_gone_is_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "SYSTEMS", tmp_path / "systems.json")
    _leave_run(tmp_path / "first" / "lu2024", 0.05)
    _leave_run(tmp_path / "second" / "tu2019", 0.01)
    main([str(tmp_path / "first")])
    before = read_json(tmp_path / "systems.json")
    main([str(tmp_path / "second")])
    after = read_json(tmp_path / "systems.json")
    assert after.keys() == {"lu2024", "tu2019"}
    assert after["lu2024"] == before["lu2024"]
