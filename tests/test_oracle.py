"""The oracle of a target: whom it learns from, and that nothing else ever does."""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from config_steps import load_config, tiny, utterances
from corpora_and_batches import LABELS, toy_corpus
from runs import write_table

from dann_jax.experiment.build import build_task_and_layout
from dann_jax.experiment.run import train_and_evaluate
from dann_jax.report.comparison import run_table
from dann_jax.report.tables import result_table
from dann_jax.tasks.oracle import PARTS
from dann_jax.tasks.protocols import make_protocol
from dann_jax.tasks.roles import Protocol, Role
from dann_jax.tasks.splits import ProtocolError

CORPUS = toy_corpus(sessions=4)
SPEAKER, WHERE = CORPUS.columns["speaker"], CORPUS.columns["corpus"]
PAIRS = ("ordered_pairs", {"column": "corpus"})
ASIDE = ("ordered_pairs", {"column": "corpus", "adapt_on": "speaker"})


def protocol_of(split: tuple[str, Mapping[str, Any]], **options: object) -> Protocol:
    word, arguments = split
    options = {"name": "toy", "labels": LABELS, "validation_folds": 0, **options}
    return make_protocol(CORPUS, split=word, split_args=arguments, **options)


def oracle_of(split: tuple[str, Mapping[str, Any]], **options: object) -> Protocol:
    options = {"oracle": "speaker", "allowed_leaks": ("oracle",), **options}
    return protocol_of(split, **options)


def test_it_takes_two_keys_that_agree() -> None:
    with pytest.raises(ProtocolError, match="labels of the target.*allowed_leaks"):
        oracle_of(PAIRS, allowed_leaks=())
    with pytest.raises(ProtocolError, match="names an 'oracle' and there is none"):
        oracle_of(PAIRS, oracle="")


def test_an_honest_protocol_is_what_it_is_without_the_keys() -> None:
    honest = protocol_of(PAIRS, disjoint=("speaker", "corpus"))
    assert honest.allowed_leaks == () and honest.name == "toy"
    labelled = honest.roles == Role.LABELLED
    assert not (labelled & honest.test_side).any()


@pytest.mark.parametrize("pools", [(), ("test",)])
def test_parts_of_a_target_are_tested_by_the_rest_of_it(
    pools: tuple[str, ...],
) -> None:
    honest = protocol_of(PAIRS, unlabelled=pools)
    oracle = oracle_of(PAIRS, unlabelled=pools, disjoint=("speaker", "corpus"))
    # Four speakers a corpus: fewer than `PARTS`.
    assert len(oracle.folds) == 8 < 2 * PARTS and oracle.allowed_leaks == ("oracle",)
    assert oracle.folds[:2] == ("west, part 1", "west, part 2")
    assert "target-only oracle" in oracle.name
    for name, roles in zip(oracle.folds, oracle.roles, strict=True):
        labelled, tested = roles == Role.LABELLED, roles == Role.TEST
        target = name.split(",")[0]
        assert set(WHERE[labelled]) == set(WHERE[tested]) == {target}
        assert not set(SPEAKER[labelled]) & set(SPEAKER[tested])
        assert set(roles[target != WHERE]) == {Role.HELD_OUT}
    np.testing.assert_array_equal(
        (oracle.roles == Role.TEST).any(0), (honest.roles == Role.TEST).any(0)
    )
    assert ((oracle.roles == Role.TEST).sum(0) <= 1).all()


def test_what_is_set_aside_for_adaptation_is_learned_from_whole() -> None:
    honest = protocol_of(ASIDE, labelled_target=1)
    oracle = oracle_of(ASIDE, labelled_target=1)
    assert oracle.folds == tuple(name.split(" -> ")[1] for name in honest.folds)
    np.testing.assert_array_equal(oracle.roles == Role.TEST, honest.roles == Role.TEST)
    known = np.isin(CORPUS.columns["emotion"], LABELS)
    np.testing.assert_array_equal(
        oracle.roles == Role.LABELLED, honest.adapt_side & known
    )


def test_a_target_of_one_speaker_is_cut_by_another_column() -> None:
    alone = ("leave_one_out", {"column": "speaker"})
    with pytest.raises(ProtocolError, match="tests one value of 'speaker'.*utt_id"):
        oracle_of(alone)
    oracle = oracle_of(alone, oracle="utt_id")
    assert len(oracle.folds) >= 2 * len(set(SPEAKER))
    for roles in oracle.roles:
        taken = (roles == Role.LABELLED) | (roles == Role.TEST)
        assert len(set(SPEAKER[taken])) == 1


@pytest.mark.slow
def test_every_table_of_an_oracle_says_so_and_that_of_an_honest_run_does_not(
    tmp_path: pathlib.Path,
) -> None:
    source = write_table(tmp_path, utterances(speakers=3))
    config = load_config("cai2020")
    oracle = {"protocol.oracle": "speaker", "protocol.allowed_leaks": ("oracle",)}
    small = {"heads.domain_hidden": (4,), "timetable.epochs": 1, "analysis.rows": 0}
    small["timetable.gradients_every"] = 0
    honest = tiny(config, source, **small)
    assert "source_only" in build_task_and_layout(honest)[1].arms
    results = train_and_evaluate(
        tiny(config, source, **small, **oracle), tmp_path / "o"
    )
    assert list(results["summary"]) == ["target_only"]
    assert results["protocol"]["allowed_leaks"] == ["oracle"]
    assert "ORACLE, an upper bound" in result_table(results)
    assert run_table({"o": results}).rows[0][0] == "o (LEAK: oracle)"
    assert "ORACLE" in (tmp_path / "o" / "bundle" / "MODEL_CARD.md").read_text()
    plain = results | {"protocol": results["protocol"] | {"allowed_leaks": []}}
    assert "ORACLE" not in result_table(plain)
    assert run_table({"o": plain}).rows[0][0] == "o"
