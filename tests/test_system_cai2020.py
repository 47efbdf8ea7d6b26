"""cai2020: its parts are connected, and each arm has its own say."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pytest
from ml_collections import ConfigDict
from runs import write_table
from test_configs import load

from dann_jax.bundle import load_bundle
from dann_jax.data.corpus import Corpus
from dann_jax.data.open import open_corpus
from dann_jax.experiment.build import build_task_and_layout, encoder_of
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.tasks.roles import Role
from dann_jax.types import UNKNOWN

LANGUAGES = ("de", "it", "ur")
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
CONFIG = load("cai2020")


def spoken() -> Corpus:
    """Two speakers a language; a language moves and stretches what emotions do."""
    rng = np.random.default_rng(0)
    rows = [
        (language, f"{language}{who}", emotion)
        for language in LANGUAGES
        for who in range(2)
        for emotion in range(len(EMOTIONS))
        for _ in range(3)
    ]
    language, speaker, emotion = zip(*rows, strict=True)
    place = np.array([LANGUAGES.index(name) for name in language])[:, None]
    values = np.eye(4)[list(emotion)] * 3.0 + rng.normal(size=(len(rows), 4))
    return Corpus(
        name="spoken",
        columns={
            "utt_id": np.arange(len(rows)).astype(str),
            "speaker": np.array(speaker),
            "language": np.array(language),
            "emotion": np.array(EMOTIONS)[list(emotion)],
        },
        features={"audio": (values * (place + 1) + 5 * place).astype(np.float32)},
        present={"audio": np.ones(len(rows), bool)},
    )


def small(source: pathlib.Path, variant: str = "emotion") -> ConfigDict:
    config = CONFIG.get_config(variant).copy_and_resolve_references()
    config.unlock()
    config.update_from_flattened_dict(
        {
            "data.source": str(source),
            "seeds": 1,
            "encoder.width": 4,
            "heads.domain_hidden": (4,),
            "batches.batch_size": 16,
            "timetable.epochs": 3,
            "timetable.gradients_every": 0,
            "analysis.rows": 0,
        }
    )
    return config.lock()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("cai"), spoken())


@pytest.mark.parametrize("task", ["emotion", "arousal", "valence"])
@pytest.mark.parametrize("pool", ["", ",inductive", ",adapt"])
def test_every_variant_pairs_all_languages(
    source: pathlib.Path, task: str, pool: str
) -> None:
    config = small(source, task + pool)
    found, layout = build_task_and_layout(config)
    assert len(found.protocol.folds) == 6
    assert len(found.protocol.labels) == (4 if task == "emotion" else 2)
    assert next(iter(layout.arms)) == "source_only"
    assert all(set(found.num_domains) <= set(arm) for arm in layout.arms.values())
    groups = encoder_of(config, found)["normalisation"]["groups"]
    assert groups == LANGUAGES


@pytest.mark.parametrize("pool", ["", ",inductive", ",adapt"])
def test_training_has_no_label_of_the_target_and_sees_what_it_may(
    source: pathlib.Path, pool: str
) -> None:
    task, _ = build_task_and_layout(small(source, f"emotion{pool}"))
    protocol = task.protocol
    target = protocol.test_side | protocol.adapt_side
    assert (task.training.label[target] == UNKNOWN).all()
    tested = protocol.roles == Role.TEST
    assert task.training.visible[tested].all() == (pool == "")
    assert (task.training.visible & target).any() == (pool != ",inductive")
    for ids in task.training.domain.values():
        np.testing.assert_array_equal(ids != UNKNOWN, task.training.visible)


def test_a_batch_knows_the_language_of_every_row(source: pathlib.Path) -> None:
    task, _ = build_task_and_layout(small(source))
    batch = task.evaluation(np.array([[0, 30, UNKNOWN]]), 1, [0])
    language = task.corpus.column("language")
    expected = [*np.searchsorted(LANGUAGES, language[batch.row[0, :2, 0]]), UNKNOWN]
    np.testing.assert_array_equal(batch.norm_domain[0, :, 0], expected)


def test_an_adaptive_result_says_that_it_saw_the_tested_rows(
    source: pathlib.Path,
) -> None:
    config = small(source, "emotion,inductive")
    assert not build_task_and_layout(config)[0].transductive
    config.encoder.normalisation.name = "adaptive"
    task = build_task_and_layout(config)[0]
    assert task.transductive
    rows = task.statistics_rows(Role.TEST)
    np.testing.assert_array_equal(rows, np.isin(task.protocol.roles, (1, 4)))


@pytest.fixture(scope="module")
def finished(
    source: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pathlib.Path, dict[str, Any]]:
    workdir = tmp_path_factory.mktemp("cai_run") / "run"
    return workdir, train_and_evaluate(small(source), workdir)


@pytest.mark.slow
def test_every_arm_differs_from_source_only(
    finished: tuple[pathlib.Path, dict[str, Any]],
) -> None:
    workdir, results = finished
    arms = ["source_only", "dann", "cdan", "coral", "mmd", "mcc", "entropy"]
    assert set(results["summary"]) == set(arms)
    last = json.loads((workdir / "metrics.jsonl").read_text().splitlines()[-1])
    assert len({last[f"{arm}/loss/label"] for arm in arms}) == len(arms)


@pytest.mark.slow
def test_a_bundle_normalises_each_language_by_its_own_statistics(
    finished: tuple[pathlib.Path, dict[str, Any]], source: pathlib.Path
) -> None:
    bundle = load_bundle(finished[0])
    corpus = open_corpus(source)
    known = bundle.predict_corpus(corpus)
    np.testing.assert_allclose(known.sum(1), 1.0, rtol=1e-5)
    columns = {k: v for k, v in corpus.columns.items() if k != "language"}
    nameless = dataclasses.replace(corpus, columns=columns)
    assert np.abs(known - bundle.predict_corpus(nameless)).max() > 0.01
