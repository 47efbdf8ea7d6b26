"""Options of a split and an objective by flags, folds by variants of a config."""

import pytest
from corpora_and_batches import LABELS, toy_corpus

from dann_jax.cli.config import ConfigError, change_config, keys, load_config
from dann_jax.cli.options import unset_options
from dann_jax.tasks.protocols import make_protocol


def changed(name: str, *flags: str) -> dict[str, object]:
    config = load_config(name)
    assert change_config(config, ["", *(f"--config.{flag}" for flag in flags)]) == [""]
    return dict(keys(config))


def test_the_arguments_of_another_split_are_set_by_flags() -> None:
    found = changed(
        "speakers", "protocol.split=group_k_fold", "protocol.split_args.k=3"
    )
    assert found["protocol.split"] == "group_k_fold"
    assert found["protocol.split_args.k"] == 3
    assert found["protocol.split_args.column"] == "speaker"
    sides = ("protocol.split_args.train=1,2", "protocol.split_args.test=x")
    found = changed("speakers:ravdess", "protocol.split=fixed_split", *sides)
    assert found["protocol.split_args.train"] == ("1", "2")
    assert found["protocol.split_args.test"] == ("x",)
    assert "protocol.split_args.k" not in found


def test_what_another_split_takes_is_no_key_of_this_one() -> None:
    with pytest.raises(ConfigError, match="no key 'protocol.split_args.k'"):
        changed("speakers", "protocol.split_args.k=3")


def test_options_that_a_config_does_not_mention_are_shown_and_can_be_set() -> None:
    config = load_config("speakers")
    assert dict(unset_options(config))["objective.label_balanced"] is False
    found = changed("speakers", "objective.label_balanced=True")
    assert found["objective.label_balanced"] is True
    with pytest.raises(ConfigError, match=r"did you mean objective\.label_balanced"):
        changed("speakers", "objective.label_balnced=True")


@pytest.mark.parametrize(
    ("variant", "name"),
    [("groups=3", "3 speaker groups"), ("folds=session", "leave-one-session-out")],
)
def test_a_variant_names_the_folds_and_the_protocol_follows(
    variant: str, name: str
) -> None:
    config = load_config(f"speakers:{variant}")
    assert config.protocol.labels == ()
    protocol = config.protocol.to_dict() | {"labels": LABELS}
    assert make_protocol(toy_corpus(), **protocol).name == name


def test_folds_of_a_column_take_the_place_of_the_groups_of_a_corpus() -> None:
    config = load_config("speakers:ravdess,folds=session")
    assert config.protocol.split_args.to_dict() == {"column": "session"}


def test_a_corpus_and_its_folds_stand_together() -> None:
    config = load_config("speakers:ravdess,groups=4")
    assert len(config.protocol.labels) == 8
    assert config.protocol.split_args.k == 4
    with pytest.raises(ConfigError, match="groups=K of 2 or more"):
        load_config("speakers:ravdess,groups=1")
    with pytest.raises(ConfigError, match="unknown variant 'klingon'"):
        load_config("speakers:klingon,groups=2")
