"""The example of docs/extending.md: trained, kept, and used again elsewhere."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
from processes import ROOT
from runs import tiny_corpus, write_table

PAGE = ROOT / "docs" / "extending.md"
SMALL = (
    "--config.seeds=1",
    "--config.timetable.epochs=2",
    "--config.analysis.rows=0",
    "--config.encoder.width=8",
    "--config.encoder.utterance.hidden=8",
    "--config.protocol.split_args.column=session",
)
USE = """
import json, sys
from runs import tiny_corpus
from dann_jax import load_bundle
bundle = load_bundle(sys.argv[1], allow_code=True)
probabilities = bundle.predict_corpus(tiny_corpus()).tolist()
print(json.dumps([probabilities, "my_models" in sys.modules]))
"""


def python(folder: pathlib.Path, *words: str) -> subprocess.CompletedProcess:
    """Python in a folder, with the modules of this folder."""
    paths = [str(folder), str(ROOT), str(ROOT / "tests")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=600,
    )


@pytest.mark.slow
def test_the_example_trains_and_its_bundle_is_used_in_another_process(
    tmp_path: pathlib.Path,
) -> None:
    models, config, *_ = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "my_models.py").write_text(models)
    (tmp_path / "mine.py").write_text(config)
    source = write_table(tmp_path, tiny_corpus())
    trained = python(
        tmp_path,
        *("-m", "dann_jax.cli.train", "--config=mine.py", "--workdir=run", *SMALL),
        f"--config.data.source={source}",
    )
    assert trained.returncode == 0, trained.stderr
    for arm in ("source_only", "dann", "distance", "both"):
        assert re.search(rf"^\| *{arm} ", trained.stdout, re.MULTILINE)
    logged = [
        json.loads(line)
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert logged[-1]["distance/distance/speaker"] > 0.0
    used = python(tmp_path, "-c", USE, "run")
    assert used.returncode == 0, used.stderr
    probabilities, imported = json.loads(used.stdout.splitlines()[-1])
    assert imported and len(probabilities) == len(tiny_corpus())
    assert all(sum(row) == pytest.approx(1.0, abs=1e-4) for row in probabilities)
