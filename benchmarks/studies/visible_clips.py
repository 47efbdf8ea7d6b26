"""What unlabelled clips of a new person are worth to an adversary: UA by their number.

    python -m benchmarks.studies.visible_clips --source=DATA/emovo --corpus=emovo \
        --draws=3 --seeds=2 --workdir=runs/visible_clips --output=visible_clips.json

As the arm `dann` of `configs/speakers.py`, but a training step sees, without labels,
only so many clips of each tested speaker, drawn at random, and none of the others. All
clips of the speaker are predicted. Seeds and draws each give a UA, pooled over folds.
"""

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from benchmarks.studies.clip_curves import SIZES, label_of, table
from dann_jax.cli.config import change_config, load_config
from dann_jax.evaluation.metrics import scores_of_confusion
from dann_jax.evaluation.summaries import speaker_counts
from dann_jax.experiment.build import build_from_protocol, build_task_and_layout
from dann_jax.experiment.train import train
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.task import Task
from dann_jax.training.run import Run
from dann_jax.utils.files import write_json

ARM = "dann"


def with_few_visible(
    protocol: Protocol, speaker: np.ndarray, size: int, number: int
) -> Protocol:
    """The protocol for training on a few tested rows, and testing none.

    Args:
      protocol: with tested rows.
      speaker: of each row, `[N]`.
      size: clips of each tested speaker that become unlabelled; the rest is held out.
      number: of the draw.
    """
    roles = protocol.roles.copy()
    for fold, of_fold in enumerate(protocol.roles):
        tested = of_fold == Role.TEST
        roles[fold, tested] = Role.HELD_OUT
        for name in np.unique(speaker[tested]):
            rows = np.flatnonzero(tested & (speaker == name))
            rng = np.random.default_rng([number, size, rows[0]])
            roles[fold, rng.permutation(rows)[:size]] = Role.UNLABELLED
    return dataclasses.replace(protocol, roles=roles, transductive=False)


def unweighted_recalls(
    config: ConfigDict, full: Task, size: int, number: int, workdir: pathlib.Path
) -> list[float]:
    """UA of every seed, float in [0, 1], over all tested rows."""
    speaker = full.corpus.column("speaker")
    few = with_few_visible(full.protocol, speaker, size, number)
    task, layout = build_from_protocol(config, full.corpus, few)
    trained = train(config, task, layout, workdir / f"{label_of(size)}-{number}")
    run = Run(full, layout, trained.program)
    found = run.predict(trained.state.best, Role.TEST, ("label_logits",))
    counts = speaker_counts(
        found.label_logits, found.rows, speaker, full.protocol, layout
    )
    return scores_of_confusion(counts[ARM].sum(1))["ua"].tolist()


def main(words: Sequence[str]) -> None:
    """Train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", default="emovo")
    parser.add_argument("--source", required=True)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--workdir", required=True, type=pathlib.Path)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    options = parser.parse_args(words)
    config = load_config(f"speakers:{options.corpus}").unlock()
    config.arms = ConfigDict({ARM: config.arms[ARM]})
    config.baseline = ARM
    source = f"--config.data.source={options.source}"
    change_config(config, ["clips", source, f"--config.seeds={options.seeds}"])
    full, _ = build_task_and_layout(config)
    scores: dict[str, list[float]] = {label_of(size): [] for size in SIZES}
    for number in range(options.draws):
        for size in SIZES:
            # None and all are the same in every draw.
            if number and size in (SIZES[0], SIZES[-1]):
                continue
            found = unweighted_recalls(config, full, size, number, options.workdir)
            scores[label_of(size)] += found
            print(number, label_of(size), found, flush=True)
            write_json(options.output, {options.corpus: {ARM: scores}})
    print(table({options.corpus: {ARM: scores}}))


if __name__ == "__main__":
    main(sys.argv[1:])
