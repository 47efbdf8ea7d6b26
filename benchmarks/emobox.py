"""RAVDESS and EMOVO on the folds of EmoBox, to lay beside that benchmark's table.

    python -m benchmarks.emobox --data=DIR --output=runs/emobox \
        --encoder=openai/whisper-base

DIR has the folders ravdess and emovo, with sound and a manifest.csv, and
emobox_folds.csv with the columns corpus, speaker and fold. Each fold is tested once.
Trains `configs/recommended.py`, which chooses within the training speakers and sees the
tested rows without labels, and the inductive source-only network of
`configs/speakers.py`, which does not. UA is the mean over folds, as there. Writes
OUTPUT/emobox.json, from which docs/study.md has its table.

Reference: Ma et al., "EmoBox: Multilingual Multi-corpus Speech Emotion Recognition
Toolkit and Benchmark", Interspeech 2024 (2406.07162).
"""

import argparse
import csv
import pathlib
from collections.abc import Mapping
from typing import Any

from benchmarks.commands import run as run_command
from benchmarks.studies.numbers import in_percent, rounded
from benchmarks.timing import table
from dann_jax.cli.console import exit_with_message
from dann_jax.utils.files import read_json, write_json

COLUMN = "emobox_fold"
PUBLISHED = {"ravdess": 75.3, "emovo": 57.8}
"""UA in % of Whisper large v3 there, inductive: a far larger encoder."""


def joined(data: pathlib.Path, corpus: str, folder: pathlib.Path) -> pathlib.Path:
    """A folder with the sound of a corpus and a manifest that has its folds.

    Raises:
      ValueError: a speaker of the corpus has no fold.
    """
    with (data / "emobox_folds.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["corpus"] == corpus]
    folds = {row["speaker"]: row["fold"] for row in rows}
    with (data / corpus / "manifest.csv").open(newline="") as file:
        manifest = list(csv.DictReader(file))
    strangers = sorted({row["speaker"] for row in manifest} - set(folds))
    if strangers:
        raise ValueError(f"{corpus}: no fold for the speakers {', '.join(strangers)}")
    folder.mkdir(parents=True, exist_ok=True)
    for entry in (data / corpus).iterdir():
        link = folder / entry.name
        if entry.is_dir() and not link.exists():
            link.symlink_to(entry.resolve())
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*manifest[0], COLUMN])
        writer.writeheader()
        writer.writerows({**row, COLUMN: folds[row["speaker"]]} for row in manifest)
    return folder


def run(
    corpus: str, data: pathlib.Path, output: pathlib.Path, encoder: str
) -> dict[str, Any]:
    """Prepare and train what is not there yet; the scores of `record_of`."""
    store = output / "data" / corpus
    if not store.exists():
        flags = [
            "--corpus=manifest",
            f"--source={joined(data, corpus, output / 'sound' / corpus)}",
            f"--name={corpus}",
            "--features=pretrained",
            f"--pretrained.model={encoder}",
            f"--data_dir={store.parent}",
        ]
        run_command("prepare", flags)
    ways = {
        "chosen": (
            "recommended",
            [f"--config.protocol.split_args.column={COLUMN}"],
        ),
        "inductive": (
            f"speakers:{corpus},folds={COLUMN}",
            [
                "--config.protocol.unlabelled=()",
                "--config.adversaries.speaker.unlabelled=()",
                "--config.analysis.rows=0",
            ],
        ),
    }
    found = {}
    for way, (config, flags) in ways.items():
        workdir = output / "runs" / f"{corpus}-{way}"
        if not (workdir / "results.json").exists():
            shared = [
                f"--config={config}",
                f"--workdir={workdir}",
                f"--config.data.source={store}",
                "--config.seeds=5",
            ]
            run_command("train", [*shared, *flags])
        found[way] = read_json(workdir / "results.json")
    return record_of(corpus, found)


def record_of(
    corpus: str, found: Mapping[str, Mapping[str, Any]]
) -> dict[str, float | list[float]]:
    """UA, mean over folds and seeds, with the ends of the pooled one's interval."""
    record: dict[str, float | list[float]] = {"published": PUBLISHED[corpus] / 100}
    for way, arm in (("chosen", "chosen"), ("inductive", "source_only")):
        scores = found[way]["summary"][arm]["ua"]
        record[way] = rounded(scores["mean"], *scores["ci95"])
    return record


def table_of_emobox(found: Mapping[str, Mapping[str, Any]]) -> str:
    """A line a corpus, UA in %."""
    head = ["corpus", "EmoBox, Whisper large v3", "chosen, transductive"]
    lines = []
    for corpus, record in found.items():
        line = [corpus, f"{100 * record['published']:.1f}"]
        for way in ("chosen", "inductive"):
            line.append(in_percent(record[way]))
        lines.append(line)
    return table([*head, "source-only, inductive"], lines)


def main() -> None:
    """Run both corpora and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.emobox",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", required=True, help="folder of the corpora")
    parser.add_argument("--output", required=True, help="of features and runs")
    parser.add_argument("--encoder", default="openai/whisper-base")
    chosen = parser.parse_args()
    data, output = pathlib.Path(chosen.data), pathlib.Path(chosen.output)
    with exit_with_message("interrupted; the same command goes on"):
        found = {
            corpus: run(corpus, data, output, chosen.encoder) for corpus in PUBLISHED
        }
    write_json(output / "emobox.json", found)
    print(table_of_emobox(found))


if __name__ == "__main__":
    main()
