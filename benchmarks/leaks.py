"""What each known leak is worth: each alone, against a control without the leak.

    python -m benchmarks.leaks --ravdess=DIR --emodb=DIR --emovo=DIR --iemocap=DIR \
        --output=runs/leaks --summary=docs/leaks.json --figure=docs/leaks.svg

Each DIR is a feature table or a store, with one vector or more of each utterance. Every
run has a folder of its own under the output and is not repeated; what is printed and
kept is of the runs that are finished. `python -m benchmarks.studies.pages` writes the
tables of docs/leaks.md, which says what the runs are and what they found.
"""

import argparse
import dataclasses
import os
import pathlib
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from benchmarks.leak_settings import CONTROLS, CORPORA, RUNS, Run, Study, open_study
from benchmarks.leak_summary import load, summarise
from benchmarks.leak_tables import draw, tables
from dann_jax.cli.console import exit_with_message, start_logging
from dann_jax.evaluation.summaries import speaker_counts
from dann_jax.experiment.build import build_from_protocol
from dann_jax.experiment.train import train
from dann_jax.tasks.roles import Role
from dann_jax.training import run as training
from dann_jax.training.compilation import use_compilation_cache
from dann_jax.training.replicas import ReplicaLayout
from dann_jax.utils.files import write_json


def main() -> None:
    """Run what is not there yet, then print and draw what is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in CORPORA:
        parser.add_argument(f"--{name}", help="where its features are")
    parser.add_argument("--output", required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--leaks", nargs="+", choices=CONTROLS, default=[*CONTROLS])
    parser.add_argument("--summary", type=pathlib.Path, help="JSON of what is found")
    parser.add_argument("--figure", help="where to draw, such as docs/leaks.svg")
    chosen = parser.parse_args()
    start_logging()
    jax.config.update("jax_num_cpu_devices", os.cpu_count())
    use_compilation_cache()
    output = pathlib.Path(chosen.output)
    wanted = {CONTROLS[leak] for leak in chosen.leaks} | {*chosen.leaks}
    sources = {name: vars(chosen)[name] for name in CORPORA if vars(chosen)[name]}
    with exit_with_message("interrupted; the same command goes on"):
        studies = {name: open_study(name, source) for name, source in sources.items()}
        for seed in range(chosen.seeds):
            for name, study in studies.items():
                for word in RUNS:
                    if word in wanted:
                        measure(study, word, seed, output / name / word / str(seed))
    found = summarise(load(output))
    print(tables(found))
    if chosen.summary:
        write_json(chosen.summary, found)
    if chosen.figure:
        draw(found, chosen.figure)


def measure(study: Study, word: str, seed: int, workdir: pathlib.Path) -> None:
    """Train one of `RUNS` with one seed, and leave its counts in `scores.json`."""
    if (workdir / "scores.json").exists():
        return
    run = RUNS[word](study, seed)
    config = own_config(study.config, word, seed, run)
    _, layout = build_from_protocol(study.config, run.task.corpus, run.task.protocol)
    layout = dataclasses.replace(layout, seeds=(seed,))
    trained = train(config, run.task, layout, workdir, selecting=run.selecting)
    replicas = training.Run(run.task, layout, trained.program)
    rows, _, logits = replicas.predict(trained.state.best, Role.TEST, ("label_logits",))
    write_json(trained.workdir / "scores.json", scores(run, logits, rows, layout))


def own_config(config: ConfigDict, word: str, seed: int, run: Run) -> ConfigDict:
    """The config of one run: its work directory belongs to the word and the seed."""
    own = ConfigDict(config.to_dict())
    own.study = ConfigDict({"run": word, "seed": seed})
    if run.selecting is not None:
        own.selection = "source-validation"
    return own


def scores(
    run: Run, logits: np.ndarray, rows: np.ndarray, layout: ReplicaLayout
) -> dict[str, Any]:
    """What tables need: which leaks were allowed, and who was understood as what."""
    protocol, speaker = run.task.protocol, run.task.corpus.column("speaker")
    counts = speaker_counts(logits, rows, speaker, protocol, layout)
    return {
        "corpus": run.task.corpus.name,
        "protocol": {
            "name": protocol.name,
            "transductive": protocol.transductive,
            "allowed_leaks": list(protocol.allowed_leaks),
        },
        "rows": {
            "labelled": float((protocol.erased_labels() >= 0).sum(1).mean()),
            "tested": len(rows),
        },
        "counts": {arm: table[0].astype(int).tolist() for arm, table in counts.items()},
    }


if __name__ == "__main__":
    main()
