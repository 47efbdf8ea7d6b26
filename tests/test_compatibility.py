"""What earlier versions left on disk, and what they offered: it works as it did.

`fixtures/earlier.tar.gz` was made once, by the code of November 2026, and is never made
again: `fixtures/README.md` says what is in it. On the kind of machine that made it, a
run that goes on ends with the very same numbers; on another, XLA chooses other
instructions and rounds otherwise, which is why the comparisons here have tolerances.
"""

import json
import pathlib
import tarfile

import jax
import numpy as np
import pytest
from few_devices import all_devices as all_devices
from flax.traverse_util import flatten_dict
from ml_collections import ConfigDict
from runs import default_config

from dann_jax import Corpus, Frames, load_bundle
from dann_jax.data.store import read_store
from dann_jax.experiment.build import build_task_and_layout
from dann_jax.experiment.evaluate import evaluate
from dann_jax.experiment.train import train

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
BUNDLES = ("run", "conversation", "attentive", "tdnn_lstm", "waveform")

CHANGES = {
    "data.rows": {"session": ("1", "2", "3", "4")},
    "protocol.split_args.test": ("3", "4"),
    "protocol.validation_folds": 3,
    "selection": "source-validation",
    "seeds": 2,
    "batches.batch_size": 4,
    "encoder.width": 4,
    "encoder.own_heads": 1,
    "encoder.own_turns": True,
    "heads.domain_hidden": (4,),
    "analysis.rows": 0,
    "timetable.epochs": 4,
    "timetable.checkpoint_every": 1,
}
"""What the run in the archive changes of `configs/synthetic.py`."""


def run_config() -> ConfigDict:
    config = default_config()
    with config.unlocked():
        config.update_from_flattened_dict(CHANGES)
        # Of Adam's own making is what it does where a gradient is nothing but rounding.
        config.optimizer.players = {"encoder": {"name": "sgd", "learning_rate": 0.01}}
    return config


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of what an earlier version left."""
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(FIXTURES / "earlier.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def corpus_of(path: pathlib.Path) -> Corpus:
    """A corpus from plain arrays: `column/NAME`, `feature/NAME` and `lengths/NAME`."""
    with np.load(path) as arrays:
        columns = part_of(arrays, "column")
        lengths = part_of(arrays, "lengths")
        features = {
            name: Frames(array, lengths[name]) if name in lengths else array
            for name, array in part_of(arrays, "feature").items()
        }
    present = {name: np.ones(len(columns["utt_id"]), bool) for name in features}
    return Corpus(path.stem, columns, features, present)


def part_of(arrays: np.lib.npyio.NpzFile, part: str) -> dict[str, np.ndarray]:
    names = [name for name in arrays if name.startswith(f"{part}/")]
    return {name.partition("/")[2]: arrays[name] for name in names}


def assert_same_numbers(found: object, expected: object, key: str = "") -> None:
    """Equal JSON, but that numbers may differ by 1e-6 and that there may be more."""
    if isinstance(expected, dict):
        assert set(expected) <= set(found), key
        for name, value in expected.items():
            assert_same_numbers(found[name], value, f"{key}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), key
        for number, value in enumerate(expected):
            assert_same_numbers(found[number], value, f"{key}[{number}]")
    elif isinstance(expected, float):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=key)
    else:
        assert found == expected, key


@pytest.mark.slow
def test_a_run_of_an_earlier_version_goes_on_to_the_same_numbers(
    earlier: pathlib.Path,
) -> None:
    config, workdir = run_config(), earlier / "half_trained"
    (step,) = (int(path.name) for path in (workdir / "checkpoints").iterdir())
    task, layout = build_task_and_layout(config)
    trained = train(config, task, layout, workdir)
    assert trained.timing["resumed_from_step"] == step

    state = jax.device_get({"params": trained.state.params, "best": trained.state.best})
    found = flatten_dict(state, sep="/")
    with np.load(earlier / "trained.npz") as expected:
        assert sorted(found) == sorted(expected)
        for name in expected:
            np.testing.assert_allclose(
                found[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name
            )
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    before = (earlier / "metrics.jsonl").read_text().splitlines()
    for line, other in zip(lines, before, strict=True):
        assert_same_numbers(json.loads(line), json.loads(other))

    evaluate(config, task, layout, trained)
    results = json.loads((workdir / "results.json").read_text())
    expected = json.loads((earlier / "results.json").read_text())
    expected.pop("timing")
    # Protocols are named after their split since.
    expected["protocol"].pop("name")
    assert_same_numbers(results, expected)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_of_an_earlier_version_predicts_the_same(
    earlier: pathlib.Path, name: str
) -> None:
    bundle = load_bundle(earlier / "bundles" / name)
    found = bundle.predict_corpus(corpus_of(earlier / "bundles" / f"{name}.npz"))
    with np.load(earlier / "predictions.npz") as expected:
        np.testing.assert_allclose(found, expected[name], rtol=1e-5, atol=1e-7)


def test_a_store_of_an_earlier_version_is_read_to_the_same_arrays(
    earlier: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is made of a store to map it into memory.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (store,) = (earlier / "data" / "tones").iterdir()
    found = read_store(store)
    expected = corpus_of(earlier / "tones.npz")
    assert set(expected.columns) <= set(found.columns)
    for name, column in expected.columns.items():
        assert found.columns[name].tolist() == column.tolist()
    assert set(found.features) == set(expected.features)
    np.testing.assert_array_equal(
        found.features["functionals"], expected.features["functionals"]
    )
    frames, before = found.features["mfcc"], expected.features["mfcc"]
    np.testing.assert_array_equal(frames.lengths, before.lengths)
    np.testing.assert_array_equal(frames.values, before.values)
    made = json.loads((earlier / "provenance.json").read_text())
    assert json.loads(json.dumps(found.provenance["features"])) == made["features"]
