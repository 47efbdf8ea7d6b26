"""What hiding the speaker is worth on pretrained features: all runs of docs/study.md.

    python -m benchmarks.studies.adversary --data=DIR --output=runs/study \
        --encoder=openai/whisper-base [--quick] [--corpora=emovo,urdu] [--seeds=5]

DIR has the folders emovo, ravdess, emodb and urdu, each with sound and a manifest.csv.
Prepares features, trains one cell after another (`adversary_cells`), and writes what is
finished to OUTPUT/adversary.json, as a table and as a figure. The same command goes on
where it was stopped, and repeats nothing. `--quick` is one seed of five epochs.
"""

import argparse
import datetime
import pathlib
import time
from collections.abc import Sequence

from benchmarks.commands import run
from benchmarks.studies.adversary_cells import (
    CORPORA,
    FEATURES,
    MODES,
    STANDARDISED,
    Cell,
    cells,
    prepare_flags,
    train_flags,
)
from benchmarks.studies.adversary_contrasts import contrasts_of
from benchmarks.studies.adversary_figure import draw
from benchmarks.studies.adversary_summary import record_of, summarise
from benchmarks.studies.adversary_tables import table_of_contrasts, table_of_gains
from dann_jax.cli.console import exit_with_message
from dann_jax.utils.files import write_json


def main(words: Sequence[str] | None = None) -> None:
    """Run what is not there yet, then write what is."""
    chosen = _parser().parse_args(words)
    data, output = pathlib.Path(chosen.data), pathlib.Path(chosen.output)
    seeds, epochs = (1, 5) if chosen.quick else (chosen.seeds, 30)
    wanted = cells(
        *(
            getattr(chosen, key).split(",")
            for key in ("corpora", "features", "standardised", "modes")
        )
    )
    with exit_with_message("interrupted; the same command goes on"):
        for cell in wanted:
            if not (output / cell.store).exists():
                flags = prepare_flags(cell, data, output, chosen.encoder)
                run("prepare", flags, output / f"{cell.corpus}-{cell.features}.log")
        _train_all(wanted, output, seeds, epochs)
    # Those of earlier calls too, whatever this one was asked for.
    finished = [cell for cell in cells() if _is_finished(cell, output)]
    records = [
        record_of(cell, [output / "runs" / run for run in cell.runs])
        for cell in finished
    ]
    found = summarise(records)
    # These need the runs' checkpoints; what does not is written before.
    write_json(output / "adversary.json", found)
    found["contrasts"] = contrasts_of(finished, output)
    write_json(output / "adversary.json", found)
    print(f"{table_of_gains(found)}\n\n{table_of_contrasts(found)}")
    draw(found, output / "adversary.svg")


def _train_all(
    wanted: Sequence[Cell], output: pathlib.Path, seeds: int, epochs: int
) -> None:
    missing = [
        (cell, run)
        for cell in wanted
        for run in cell.runs
        if not _has_results(output / "runs" / run)
    ]
    print(f"{len(wanted)} cells, {len(missing)} runs to train", flush=True)
    began = time.monotonic()
    for done, (cell, run_name) in enumerate(missing):
        spent = time.monotonic() - began
        left = f", {_clock(spent / done * (len(missing) - done))} left" if done else ""
        print(f"{run_name} ({done + 1} of {len(missing)}{left})", flush=True)
        flags = train_flags(cell, run_name, output, seeds, epochs)
        run("train", flags, output / f"{run_name}.log")


def _is_finished(cell: Cell, output: pathlib.Path) -> bool:
    return all(_has_results(output / "runs" / run) for run in cell.runs)


def _has_results(folder: pathlib.Path) -> bool:
    return all((folder / name).exists() for name in ("results.json", "analysis.json"))


def _clock(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.adversary",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="folder of the corpora")
    add("--output", required=True, help="of features, runs and results")
    add("--encoder", default="openai/whisper-base", help="name or folder")
    add("--quick", action="store_true", help="one seed of five epochs")
    add("--seeds", type=int, default=5)
    for key, values in (
        ("corpora", CORPORA),
        ("features", FEATURES),
        ("standardised", STANDARDISED),
        ("modes", MODES),
    ):
        add(f"--{key}", default=",".join(values), help=f"of {', '.join(values)}")
    return parser


if __name__ == "__main__":
    main()
