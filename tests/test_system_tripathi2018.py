"""Digits from the waveform under an unseen accent: the parts are connected."""

import pathlib
from collections.abc import Mapping

import numpy as np
import pytest
from frame_corpus import apart, few_steps, tiny, write_frames
from ml_collections import ConfigDict
from test_configs import load

from dann_jax.experiment.build import build_task_and_layout
from dann_jax.tasks.roles import Role
from dann_jax.tasks.splits import ProtocolError
from dann_jax.types import UNKNOWN

PEOPLE = {
    "speaker": ["ann", "bob", "cem", "dea"],
    "accent": ["el", "el", "de", "fr"],
}
HOP = 8


def digits(
    folder: pathlib.Path, variant: str = "", changes: Mapping[str, object] = {}
) -> ConfigDict:
    source = write_frames(
        folder / "digits",
        modality="waveform",
        dim=HOP,
        people=PEOPLE,
        label_column="digit",
        labels=tuple("0123456789"),
    )
    small = {
        "data.source": str(source),
        "encoder.frames.filters": 4,
        "encoder.frames.steps": 2,
        "encoder.frames.kernels": (3,),
        "encoder.frames.dilations": (1,),
    }
    return tiny("tripathi2018", variant, {**small, **changes})


def test_an_accent_is_tested_with_all_its_speakers_and_without_its_labels(
    tmp_path: pathlib.Path,
) -> None:
    task, _ = build_task_and_layout(digits(tmp_path))
    assert task.protocol.folds == ("accent de", "accent el", "accent fr")
    tested = task.protocol.roles == Role.TEST
    np.testing.assert_array_equal(tested.sum(1), [20, 40, 20])
    assert task.protocol.visible().all()
    assert (task.training.label[tested] == UNKNOWN).all()
    np.testing.assert_array_equal(task.training.domain["domain"], tested)
    assert task.num_domains == {"domain": 2, "accent": 3}


def test_leaving_speakers_out_would_share_an_accent(tmp_path: pathlib.Path) -> None:
    by_speaker = {"protocol.split_args": ConfigDict({"column": "speaker"})}
    with pytest.raises(ProtocolError, match="'accent' are both labelled and tested"):
        build_task_and_layout(digits(tmp_path, changes=by_speaker))


@pytest.mark.slow
def test_both_adversaries_reach_the_filters_on_the_samples(
    tmp_path: pathlib.Path,
) -> None:
    _, layout, state = few_steps(digits(tmp_path))
    filters = state.params["encoder"]["frames_waveform"]["bank"]["kernel"]
    assert filters.shape[2:] == (3 * HOP, 4)
    assert set(layout.arms) == {"source_only", "accents", "dann"}
    for arm in (1, 2):
        assert apart(filters, (0, arm)) > 1e-5


@pytest.mark.parametrize("variant", ["coral", "mmd"])
def test_a_penalty_has_an_arm_of_its_name(variant: str) -> None:
    config = load("tripathi2018").get_config(variant)
    assert config.objective.name == variant
    assert set(config.arms) == {"source_only", variant}


def test_an_unknown_variant_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="coral, mmd"):
        load("tripathi2018").get_config("nonsense")
