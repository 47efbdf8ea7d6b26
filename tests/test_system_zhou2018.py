"""Zhou and Chen 2018: which labels each arm learns from, and that the arms differ."""

import itertools
import pathlib
from collections.abc import Callable, Sequence

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from runs import write_table
from test_configs import load

from dann_jax.data.corpus import Corpus
from dann_jax.experiment.build import build_task_and_layout, compiled
from dann_jax.tasks.roles import Role
from dann_jax.training.batch_loader import BatchLoader
from dann_jax.training.timetable import Timetable
from dann_jax.types import UNKNOWN, PyTree

STEPS = 4
ARMS = ("source_only", "joint", "fine_tuned", "dann", "class_wise")


def two_corpora() -> Corpus:
    """Four speakers of each of two corpora say eight sentences of either valence."""
    rng = np.random.default_rng(0)
    corpus, speaker, rating = np.meshgrid(range(2), range(4), range(16), indexing="ij")
    corpus, speaker, rating = corpus.ravel(), speaker.ravel(), rating.ravel()
    values = np.where(rating % 2, "positive", "negative")
    functionals = rng.normal(0.5 * corpus + rating % 2, 1.0, (4, len(corpus))).T
    return Corpus(
        name="two",
        columns={
            "utt_id": np.array([f"u{row:03}" for row in range(len(corpus))]),
            "speaker": np.char.add(np.array(["a", "b"])[corpus], speaker.astype(str)),
            "corpus": np.array(["a", "b"])[corpus],
            "emotion": np.where(rating % 2, "happiness", "anger"),
            "binary_valence": values,
        },
        features={"functionals": functionals.astype(np.float32)},
        present={"functionals": np.ones(len(corpus), bool)},
    )


def tiny(source: pathlib.Path, variant: str = "3") -> ConfigDict:
    config = load("zhou2018").get_config(variant)
    config.update_from_flattened_dict(
        {
            "data.source": str(source),
            "data.rows.corpus": ("a", "b"),
            "seeds": 1,
            "batches.batch_size": 64,
            "encoder.width": 4,
            "heads.domain_hidden": (4,),
            # One batch an epoch: the second half is the last steps.
            "timetable.epochs": STEPS,
        }
    )
    return config


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_table(tmp_path_factory.mktemp("two"), two_corpora())


def few_rows(config: ConfigDict) -> np.ndarray:
    """Labelled rows of the target of both folds, bool `[F, N]`."""
    protocol = build_task_and_layout(config)[0].protocol
    return (protocol.roles == Role.LABELLED) & protocol.adapt_side


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_variant_is_the_number_of_labelled_target_rows_of_each_class(
    table: pathlib.Path, count: int
) -> None:
    task, _ = build_task_and_layout(tiny(table, str(count)))
    assert task.protocol.folds == ("a -> b", "b -> a")
    np.testing.assert_array_equal(few_rows(tiny(table, str(count))).sum(1), 2 * count)
    # Nothing else of the target is visible.
    heard = task.protocol.visible() & (
        task.protocol.test_side | task.protocol.adapt_side
    )
    assert heard.sum() == 4 * count


def test_any_other_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="number of labelled rows"):
        load("zhou2018").get_config("few")


@pytest.fixture(scope="module")
def trained(table: pathlib.Path) -> Callable[[bool], PyTree]:
    """Whether labels of the target are swapped -> parameters of all arms and folds."""
    config = tiny(table)
    task, layout = build_task_and_layout(config)
    assert set(layout.arms) == {*ARMS} and list(layout.arms)[0] == "source_only"
    timetable = Timetable(1, **config.timetable)
    program = compiled(config, task, layout, timetable)
    plan = task.plan(task.protocol.visible())
    assert plan.steps_per_epoch == 2
    target = task.protocol.adapt_side[layout.fold_of]
    batch = BatchLoader(task.training, plan, layout, shuffle=False).batch
    strength = layout.put(layout.peak_strength())

    def parameters(swap: bool) -> PyTree:
        state = program.initial_state(batch(0))
        for step in range(STEPS):
            one = batch(step)
            group = np.arange(len(layout.fold_of))[:, None, None]
            few = target[group, one.row] & (one.label != UNKNOWN)
            one = one._replace(label=np.where(few & swap, 1 - one.label, one.label))
            state, _ = program.train_step(state, layout.put(one), strength)
        return jax.device_get(state.params)

    return parameters


@pytest.fixture(scope="module")
def as_it_is(trained: Callable[[bool], PyTree]) -> PyTree:
    return trained(False)


def changed(one: PyTree, other: PyTree, arms: Sequence[str]) -> dict[str, bool]:
    """Arm -> whether its encoder or label head differ in any fold."""
    return {
        arm: any(
            not np.allclose(a[:, index], b[:, index], rtol=1e-4, atol=1e-5)
            for part in ("encoder", "label_head")
            for a, b in zip(
                jax.tree.leaves(one[part]), jax.tree.leaves(other[part]), strict=True
            )
        )
        for index, arm in enumerate(arms)
    }


def test_source_only_learns_nothing_from_labels_of_the_target(
    trained: Callable[[bool], PyTree], as_it_is: PyTree
) -> None:
    found = changed(as_it_is, trained(True), ARMS)
    assert found == {arm: arm != "source_only" for arm in ARMS}


def test_all_arms_differ(as_it_is: PyTree) -> None:
    encoder = jax.tree.leaves(as_it_is["encoder"])
    for index, other in itertools.combinations(range(len(ARMS)), 2):
        assert any(
            not np.allclose(leaf[:, index], leaf[:, other], rtol=1e-4, atol=1e-5)
            for leaf in encoder
        )
