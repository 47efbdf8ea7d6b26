"""skada's DANN, CDAN and MCC on the same features and folds, and what lies between.

    python -m benchmarks.peers --data=DIR --output=runs/peers --python=PYTHON \
        [--corpora=emovo,ravdess] [--seeds=3] [--quick] [--score_only]

DIR has stores of features by the names of corpora, as `dann-prepare` makes them. PYTHON
is that of an environment of its own: `python -m venv peers && peers/bin/python -m pip
install skada skorch torch`. Trains our runs, then skada's methods, and writes what is
finished to OUTPUT/peers.json, the numbers of docs/peers.md. The same command goes on
where it was stopped and repeats nothing. `--quick` is one seed of three epochs.
"""

import argparse
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from benchmarks.finished import predicted
from benchmarks.folds import counts_of
from benchmarks.peers import ours
from benchmarks.peers.fits import Peers
from benchmarks.peers.grid import METHODS
from benchmarks.peers.scores import record_of
from benchmarks.peers.study import study_of
from benchmarks.peers.tables import table_of_arms, table_of_contrasts
from dann_jax.cli.console import exit_with_message
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.utils.files import read_json, write_json

CORPORA = ("emovo", "ravdess", "emodb")


def main(words: Sequence[str] | None = None) -> None:
    """Train what is not there yet, then write what is."""
    chosen = _parser().parse_args(words)
    output = pathlib.Path(chosen.output)
    records = []
    with exit_with_message("interrupted; the same command goes on"):
        for corpus in re.split(r",(?!\w+=)", chosen.corpora):
            records.append(_corpus(corpus, chosen, output))
        found = {"corpora": records, "versions": _versions(output)}
        write_json(output / "peers.json", found)
    print(f"{table_of_arms(found)}\n\n{table_of_contrasts(found)}")


def _corpus(
    corpus: str, chosen: argparse.Namespace, output: pathlib.Path
) -> dict[str, Any]:
    """Train a corpus, and return what is kept of it: scores, and what was chosen.

    The corpus may have folds after a comma, as a variant of `configs/speakers.py`.
    """
    seeds, epochs = (1, 3) if chosen.quick else (chosen.seeds, 30)
    source = pathlib.Path(chosen.data) / corpus.partition(",")[0]
    flags = {
        name: ours.flags_of(name, corpus, source, seeds, epochs) for name in ours.RUNS
    }
    configs = {name: ours.config_of(each) for name, each in flags.items()}
    for name, each in configs.items():
        ours.require_strengths(name, each)
    config = configs["sides"]
    study = study_of(build_task_and_layout(config)[0], config, seeds)
    peers = Peers(study, output / "skada" / corpus, (epochs // 3, epochs))
    workdirs = {name: output / "ours" / corpus / name for name in flags}
    if not chosen.score_only:
        for name, workdir in workdirs.items():
            ours.train(flags[name], workdir)
        peers.train(chosen.python, [*filter(None, chosen.methods.split(","))])
    found = {
        name: predicted(workdir, source)[1]
        for name, workdir in workdirs.items()
        if (workdir / "results.json").exists()
    }
    logits = {
        name: found[run][arm][:, :seeds]
        for name, (run, arm, _) in ours.ARMS.items()
        if arm in found.get(run, ())
    }
    settings = {}
    for name, arm in peers.arms().items():
        if (made := peers.logits(arm)) is None:
            continue
        logits[name] = made
        words = [candidate.words for candidate in arm]
        settings[name] = {each: words.count(each) for each in dict.fromkeys(words)}
    return {
        "corpus": corpus,
        "seeds": seeds,
        "folds": len(study.outer.protocol.folds),
        "inner_folds": len(study.inner.protocol.folds),
        **record_of(
            {name: counts_of(study.outer, each) for name, each in logits.items()}
        ),
        "settings": settings,
    }


def _versions(output: pathlib.Path) -> dict[str, str]:
    """Of skada and PyTorch."""
    paths = sorted(output.glob("skada/*/*/fits/versions.json"))
    return read_json(paths[0]) if paths else {}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", required=True, help="folder of the stores")
    add("--output", required=True, help="of runs, fits and results")
    python = os.environ.get("DANN_JAX_PEERS_PYTHON", "python")
    add("--python", default=python, help="one that has skada and PyTorch")
    add("--corpora", default="emovo,ravdess", help=f"of {', '.join(CORPORA)}")
    add("--methods", default=",".join(METHODS), help="to tune; empty for none")
    add("--seeds", type=int, default=3)
    add("--quick", action="store_true", help="one seed of three epochs")
    add("--score_only", action="store_true", help="train nothing")
    return parser


if __name__ == "__main__":
    main()
