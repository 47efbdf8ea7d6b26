"""Peers on the same folds: what they may know, what is chosen, whose predictions."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.folds import Folds, counts_of, difference, ua
from benchmarks.peers import ours
from benchmarks.peers.grid import METHODS, Candidate, candidates
from benchmarks.peers.scores import CONTRASTS, baseline_of, choice_of
from benchmarks.peers.study import export, logits_of
from benchmarks.peers.tables import ARMS
from dann_jax.data.synthetic.conversations import synthetic_conversations
from dann_jax.experiment.checks import check_config
from dann_jax.tasks.nested import nested_protocol
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Role

SCRIPT = pathlib.Path(ours.__file__).with_name("skada_process.py")


@pytest.fixture(scope="module")
def folds() -> Folds:
    corpus = synthetic_conversations(sessions=4, dialogues=3, turns=12)
    name = min(corpus.features)
    vectors = np.ones((len(corpus), 3), np.float32)
    corpus = dataclasses.replace(
        corpus,
        features={name: vectors + np.arange(len(corpus))[:, None]},
        present={name: np.ones(len(corpus), bool)},
    )
    protocol = make_protocol(
        corpus,
        split="leave_one_out",
        split_args={"column": "session"},
        labels=("anger", "neutral"),
        unlabelled=("test",),
        validation_folds=0,
    )
    return Folds(corpus, protocol, seeds=2)


@pytest.fixture(scope="module")
def inner(folds: Folds) -> Folds:
    nested = nested_protocol(folds.protocol, folds.corpus, folds=2)
    return Folds(folds.corpus, nested.protocol, 1, nested.outer)


def _exported(folds: Folds, folder: pathlib.Path) -> dict[str, np.ndarray]:
    export(folds.corpus, folds.protocol, folder / "data.npz")
    with np.load(folder / "data.npz") as file:
        return dict(file)


def _right(folds: Folds) -> np.ndarray:
    """Logits that are right, `[folds, rows, classes]`, NaN where none is tested."""
    rows = folds.tested
    logits = np.eye(2, dtype=np.float32)[folds.protocol.label[rows]]
    tested = folds.protocol.roles[:, rows] == Role.TEST
    return np.where(tested[..., None], logits, np.nan)


def test_the_other_process_is_given_labels_of_labelled_rows_only(
    folds: Folds, inner: Folds, tmp_path: pathlib.Path
) -> None:
    for each in (folds, inner):
        found = _exported(each, tmp_path)
        labelled = each.protocol.roles == Role.LABELLED
        assert (found["label"][~labelled] == -1).all()
        assert ((found["domain"] == 1) == labelled).all()
        assert (found["domain"][found["tested"]] == -1).all()


def test_inner_folds_see_nothing_of_what_their_fold_tests(
    folds: Folds, inner: Folds, tmp_path: pathlib.Path
) -> None:
    domain = _exported(inner, tmp_path)["domain"]
    assert inner.outer is not None
    for fold, outer in enumerate(inner.outer):
        assert (domain[fold, folds.protocol.test_side[outer]] == 0).all()


def test_rows_without_a_vector_are_refused(folds: Folds, tmp_path) -> None:
    (name,) = folds.corpus.present
    present = {name: np.arange(len(folds.corpus)) > 0}
    corpus = dataclasses.replace(folds.corpus, present=present)
    with pytest.raises(ValueError, match=f"1 rows of .* have no {name}"):
        export(corpus, folds.protocol, tmp_path / "data.npz")


def test_predictions_come_back_to_their_rows(folds: Folds, tmp_path) -> None:
    tested = folds.protocol.roles == Role.TEST
    names = [
        [(f"fit{fold}-{seed}", 1)] for fold in range(len(tested)) for seed in range(2)
    ]
    (tmp_path / "fits").mkdir()
    for group, ((name, _),) in enumerate(names):
        own = np.eye(2)[folds.protocol.label[tested[group // 2]]]
        np.savez(tmp_path / "fits" / f"{name}.npz", logits=np.stack([-own, own]))
    logits = logits_of(tmp_path, folds.protocol, names)
    by_seed = logits.reshape(len(tested), 2, *logits.shape[2:])
    assert ua(counts_of(folds, by_seed)) == [1.0, 1.0, 1.0, 2]
    np.testing.assert_array_equal(logits[::2, 0], _right(folds))


def test_arms_with_fewer_seeds_are_compared_by_those(folds: Folds) -> None:
    right = _right(folds)[:, None]
    both = counts_of(folds, np.concatenate([right, -right], axis=1))
    first = counts_of(folds, right)
    assert difference(both, first) == [0.0, 0.0, 0.0, 1.0, 1]
    assert difference(both, both)[-1] == 2


def test_inner_folds_choose_what_is_right_on_whom_they_hold_out(inner: Folds) -> None:
    right = _right(inner)
    # Of two candidates one is right in the inner folds of the first fold, the other in
    # all others.
    assert inner.outer is not None
    sign = np.where(inner.outer == 0, 1, -1)[:, None, None]
    choice = choice_of(inner, np.stack([sign * right, -sign * right], axis=1))
    assert choice.tolist() == [0, 1, 1, 1]


def test_every_fit_has_a_name_of_its_own() -> None:
    grid = [
        each
        for method in METHODS
        for each in candidates(method, None, (10, 30))
        if each.epochs == 30
    ]
    grid += [Candidate("DANN", working_head=False), Candidate("DANN", lr=1e-2)]
    names = [each.fit(1, 0, [10, 30])["name"] for each in grid]
    assert len(set(names)) == len(names) == 2 + 3 * 6 + 2


def test_our_runs_are_configs_that_can_be_run() -> None:
    for name in ours.RUNS:
        flags = ours.flags_of(name, "emovo", pathlib.Path("data"), 2, 3)
        config = ours.config_of(flags)
        check_config(config)
        ours.require_strengths(name, config)
        assert bool(config.protocol.unlabelled) == (name != "inductive")
        assert (config.seeds, config.timetable.epochs) == (2, 3)


def test_a_corpus_whose_arms_are_others_is_refused() -> None:
    flags = ours.flags_of("speakers", "urdu", pathlib.Path("data"), 2, 3)
    with pytest.raises(ValueError, match="the arm 'cautious' is not there"):
        ours.require_strengths("speakers", ours.config_of(flags))


def test_contrasts_and_baselines_name_arms_of_the_table() -> None:
    named = {arm for pair in CONTRASTS.values() for arm in pair}
    assert named | {baseline_of(arm) for arm in ARMS} <= set(ARMS)


def _python() -> str:
    python = os.environ.get("DANN_JAX_PEERS_PYTHON", sys.executable)
    tried = [python, "-c", "import skada, skorch, torch"]
    if subprocess.run(tried, capture_output=True, check=False).returncode:
        pytest.skip(
            "no skada here; set DANN_JAX_PEERS_PYTHON to a Python that has it, skorch "
            "and PyTorch (python -m benchmarks.peers --help says how)"
        )
    return python


@pytest.mark.slow
def test_the_domain_head_that_comes_with_skada_does_nothing_and_ours_works(
    folds: Folds, tmp_path: pathlib.Path
) -> None:
    data = _exported(folds, tmp_path)
    data["x"] = np.random.default_rng(0).normal(size=data["x"].shape)
    np.savez(tmp_path / "data.npz", **data)
    arms = {
        (head, reg): Candidate("DANN", reg=reg, working_head=head).fit(0, 0, [1, 2])
        for head in (False, True)
        for reg in (0.1, 1.0)
    }
    job = {
        "data": str(tmp_path / "data.npz"),
        "folder": str(tmp_path),
        "fits": list(arms.values()),
        **{"classes": 2, "width": 4, "dropout": 0.3, "weight_decay": 0.1},
        "batch_size": 4,
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    subprocess.run([_python(), str(SCRIPT), str(tmp_path / "job.json")], check=True)
    found = {}
    for arm, fit in arms.items():
        with np.load(tmp_path / f"{fit['name']}.npz") as file:
            found[arm] = file["logits"]
    assert found[True, 1.0].shape == (2, int(data["tested"][0].sum()), 2)
    # If this fails, skada has been mended, and docs/peers.md should say so.
    np.testing.assert_array_equal(found[False, 0.1], found[False, 1.0])
    assert (found[True, 0.1] != found[True, 1.0]).any()
