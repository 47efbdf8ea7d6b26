"""The example of docs/extending.md: trained, kept, and used again elsewhere."""

import json
import pathlib
import re

import pytest
from forked import TRAIN, Forked
from processes import ROOT, outcomes
from runs import tiny_corpus, write_table

PAGE = ROOT / "docs" / "extending.md"
SMALL = (
    "--config.seeds=1",
    "--config.timetable.epochs=2",
    "--config.timetable.gradients_every=0",
    "--config.batches.num_buckets=1",
    "--config.analysis.rows=0",
    "--config.encoder.width=8",
    "--config.encoder.utterance.hidden=8",
    "--config.protocol.split_args.column=session",
)
HERE = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
os.chdir(sys.path[0])
"""
USE = """
import json, sys
from runs import tiny_corpus
from dann_jax import load_bundle
bundle = load_bundle(sys.argv[1], allow_code=True)
probabilities = bundle.predict_corpus(tiny_corpus()).tolist()
print(json.dumps([probabilities, "my_models" in sys.modules]))
"""


def printed(folder: pathlib.Path, program: str, *words: str) -> str:
    """By a process of its own in a folder, with the modules of this folder."""
    ((code, out, errors),) = outcomes([Forked(HERE + program, folder, *words)])
    assert code == 0, errors
    return out


@pytest.mark.slow
def test_the_example_trains_and_its_bundle_is_used_in_another_process(
    tmp_path: pathlib.Path,
) -> None:
    models, config, *_ = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "my_models.py").write_text(models)
    (tmp_path / "mine.py").write_text(config)
    source = write_table(tmp_path, tiny_corpus())
    words = ("--config=mine.py", "--workdir=run", f"--config.data.source={source}")
    table = printed(tmp_path, TRAIN, *words, *SMALL)
    for arm in ("source_only", "dann", "distance", "both"):
        assert re.search(rf"^\| *{arm} ", table, re.MULTILINE)
    logged = [
        json.loads(line)
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert logged[-1]["distance/distance/speaker"] > 0.0
    used = printed(tmp_path, USE, "run")
    probabilities, imported = json.loads(used.splitlines()[-1])
    assert imported and len(probabilities) == len(tiny_corpus())
    assert all(sum(row) == pytest.approx(1.0, abs=1e-4) for row in probabilities)
