"""Every control is a config: it builds, and takes another step than source-only."""

import pathlib
from functools import cache

import numpy as np
import pytest
from config_steps import (
    CONFIGS,
    SYSTEMS,
    everything,
    load_config,
    take_steps,
    tiny,
    utterances,
)
from config_steps import read_once as read_once
from ml_collections import ConfigDict
from runs import write_table

from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.objectives import OBJECTIVES
from dann_jax.tasks.roles import Role
from dann_jax.training.timetable import Timetable

VARIANTS = (
    *("dann", "cdan", "cdan_e", "coral", "mmd", "conditional_mmd", "mcc"),
    *("entropy_minimisation", "information_maximisation", "group_dro", "vrex"),
    *("mixup", "together", "speaker_normalisation", "adabn", "two_adversaries"),
    *("sidann", "target_only", "shrunk_normalisation", "label_aware_normalisation"),
    "nuisance_projection",
)


@cache
def table(folder: pathlib.Path) -> pathlib.Path:
    return write_table(folder, utterances())


@pytest.fixture(scope="module")
def shared_table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("everything"), everything())


@pytest.mark.usefixtures("read_once")
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_every_control(
    shared_table: pathlib.Path, system: str
) -> None:
    own = load_config(system)
    with pytest.raises(ValueError, match="two_adversaries"):
        load_config("controls", f"sidann+{system}")
    for variant in set(VARIANTS) - {"sidann"}:
        config = tiny(load_config("controls", f"{variant}+{system}"), shared_table)
        config.data.modalities = own.data.modalities or ("functionals",)
        # The toys have three values a feature.
        config.data.nuisance_directions = min(config.data.nuisance_directions, 1)
        by_class = variant in ("label_aware_normalisation", "nuisance_projection")
        if by_class and own.protocol.open_set:
            with pytest.raises(ValueError, match="needs classes"):
                build_task_and_layout(config)
            continue
        task, layout = build_task_and_layout(config)
        compiled(config, task, layout, Timetable(1, **config.timetable))
        arms = {name: max(arm.values()) for name, arm in layout.arms.items()}
        assert min(arms.values()) == 0.0 and list(arms.values()).count(0.0) == 1
        assert set(config.heads.conditional) <= set(task.num_domains)
        oracle = ("oracle",) if variant == "target_only" else ()
        assert task.protocol.allowed_leaks == oracle
        assert config.encoder.frames == own.encoder.frames


def config_of(variant: str, tmp_path_factory: pytest.TempPathFactory) -> ConfigDict:
    source = table(tmp_path_factory.getbasetemp())
    return tiny(load_config("controls", variant), source)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_control_takes_another_step_than_source_only(
    variant: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = take_steps(config_of(variant, tmp_path_factory))
    baseline, *others = run.moved("encoder").items()
    assert baseline[1].any() and np.isfinite(run.metrics[0]["loss"]).all()
    assert bool(others) == (variant != "target_only")
    for arm, change in others:
        assert not np.array_equal(change, baseline[1]), arm


def test_these_are_all_the_variants_there_are() -> None:
    with pytest.raises(ValueError, match="choose from") as error:
        load_config("controls", "nonsense")
    listed = str(error.value).rpartition("choose from ")[-1].split(", ")
    assert set(listed) == set(VARIANTS)
    document = (CONFIGS / "controls.py").read_text().split('"""')[1]
    assert all(f"`{variant}`" in document for variant in VARIANTS)


def test_every_penalty_is_a_control_or_part_of_a_system() -> None:
    elsewhere = {"source_only", "class_wise_dann", "ccc_regression", "confusion"}
    elsewhere |= {"cross_gradient", "dynamic_joint", "addi", "soft_labels", "labels_of"}
    assert set(OBJECTIVES) - elsewhere <= set(VARIANTS)


def test_two_adversaries_have_a_strength_each(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    task, layout = build_task_and_layout(config_of("sidann", tmp_path_factory))
    assert task.num_domains == {"corpus": 2, "speaker": 4}
    assert layout.arms["both"] == {"corpus": 0.3, "speaker": 0.3}
    assert layout.arms["speaker"] == {"corpus": 0.0, "speaker": 0.3}


@pytest.mark.parametrize("kind", ["shrunk", "label_aware"])
def test_speaker_statistics_have_a_control_each(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    task, _ = build_task_and_layout(
        config_of(f"{kind}_normalisation", tmp_path_factory)
    )
    assert task.standardisation == ("speaker", kind, 5.0) and task.transductive


def test_speakers_are_normalised_and_the_oracle_has_no_label_of_a_tested_row(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    task, _ = build_task_and_layout(
        config_of("speaker_normalisation", tmp_path_factory)
    )
    mean, scale = task.training.standardiser["functionals"]
    for domain, speaker in enumerate(np.unique(task.corpus.column("speaker"))):
        rows = task.corpus.column("speaker") == speaker
        assert set(task.training.feature_domain[rows]) == {domain}
        own = task.corpus.features["functionals"][rows]
        for fold in range(len(mean)):
            values = (own - mean[fold, domain]) / scale[fold, domain]
            np.testing.assert_allclose(values.mean(0), 0.0, atol=1e-4)
    task, _ = build_task_and_layout(config_of("target_only", tmp_path_factory))
    assert not (task.training.label[task.protocol.roles == Role.TEST] >= 0).any()
