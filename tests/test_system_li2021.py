"""Li et al. 2021: across styles and sessions, with three losses as arms."""

import pathlib

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from runs import tiny_corpus, write_table
from test_configs import load

from dann_jax.data.corpus import Corpus
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.tasks.roles import Role
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.timetable import Timetable

VARIANTS = pytest.mark.parametrize("variant", ["script-impro", "impro-script"])


def with_styles_and_a_visual_stream() -> Corpus:
    corpus = tiny_corpus()
    even = [int(name[-1]) % 2 == 0 for name in corpus.columns["dialogue"]]
    corpus.columns["style"] = np.where(even, "script", "impro")
    rng = np.random.default_rng(0)
    corpus.features["visual"] = rng.normal(size=(len(corpus), 3)).astype(np.float32)
    return corpus


def tiny(source: pathlib.Path, variant: str) -> ConfigDict:
    config = load("li2021").get_config(variant)
    changes = {
        "data.source": str(source),
        "data.modalities": ("acoustic", "lexical", "visual"),
        "protocol.labelled_target": 2,
        "seeds": 1,
        "batches.batch_size": 128,
        "encoder.width": 4,
        "heads.domain_hidden": (4,),
        "timetable.epochs": 2,
    }
    config.update_from_flattened_dict(changes)
    return config


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("styles")
    return write_table(folder, with_styles_and_a_visual_stream())


@VARIANTS
def test_styles_and_sessions_of_labelled_and_tested_rows(
    table: pathlib.Path, variant: str
) -> None:
    task, _ = build_task_and_layout(tiny(table, variant))
    source, target = variant.split("-")
    style = task.corpus.columns["style"]
    session = task.corpus.columns["session"]
    protocol = task.protocol
    for fold, left_out in enumerate(("1", "2", "3", "4")):
        roles, adapt = protocol.roles[fold], protocol.adapt_side[fold]
        tested = roles == Role.TEST
        assert set(style[tested]) == {target} and set(session[tested]) == {left_out}
        labelled = roles == Role.LABELLED
        assert set(style[labelled & ~adapt]) == {source}
        assert set(style[labelled & adapt]) == {target}
        assert (labelled & adapt).sum() == 2 * len(protocol.labels)
        # Of the session left out nothing is heard, in either style.
        assert left_out not in session[protocol.visible()[fold]]
        assert set(task.training.domain["elicitation"][fold][labelled & adapt]) == {1}


def test_every_loss_is_an_arm_and_all_move_the_encoder(table: pathlib.Path) -> None:
    config = tiny(table, "script-impro")
    task, layout = build_task_and_layout(config)
    names = {"elicitation", "confusion", "soft_labels"}
    assert all(set(arm) == names for arm in layout.arms.values())
    timetable = Timetable(1, **config.timetable)
    program = compiled(config, task, layout, timetable)
    plan = task.plan(task.protocol.visible())
    batch = BatchLoader(task.training, plan, layout, shuffle=True).batch(0)
    assert set(batch.inputs) == {"acoustic", "lexical", "visual"}
    # At step 0 the schedule of the strengths is still 0.
    state = program.initial_state(batch)
    state = state.replace(step=state.step + 1)
    state, metrics = program.train_step(
        state, layout.put(batch), layout.put(layout.peak_strength())
    )
    assert np.isfinite(jax.device_get(metrics["loss"])).all()
    kernels = jax.tree.leaves(jax.device_get(state.opt_state[1].mu["encoder"]))
    largest = max(kernels, key=np.size)
    for index in range(len(layout.arms)):
        for other in range(index):
            assert not np.allclose(largest[:, index], largest[:, other], rtol=1e-4)


def test_an_unknown_variant_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="script-impro, impro-script"):
        load("li2021").get_config("nonsense")
