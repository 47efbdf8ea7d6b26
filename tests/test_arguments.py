"""What a person may write for an argument, and how another value is refused."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from flax import linen as nn

from dann_jax.utils.arguments import (
    Count,
    Range,
    Rate,
    Weight,
    Width,
    call_checked,
    require,
)

NOTHING_BUT = {
    Count: [1, 7, 10**6, np.int64(3)],
    Width: [1, 2**15],
    Rate: [0, 0.0, 0.999, np.float32(0.5)],
    Weight: [0, 1e4],
    bool: [True, False],
    str: ["", "x", np.str_("x")],
    Sequence[str]: [(), [], ("a", "b"), ["a"]],
    tuple[Width, ...]: [(), (1, 2), [3]],
    tuple[Width, ...] | None: [None, (1,)],
    Weight | Literal["mean"]: ["mean", 0.5],
    Mapping[str, Sequence[str]]: [{}, {"a": ("b",)}],
    Literal["float32", "bfloat16"]: ["float32"],
}
WILD = (
    *(None, True, 0, 1, -1, 0.5, 3.7, 10**7, 2**64, 10**400, 1e308, 1e-300),
    *(math.nan, math.inf, -math.inf, "", "abc", "1", "mean", "float32", b"x", 1j),
    *((), (0,), (1,), ("a",), (("a",),), (None,), {}, {"a": 1}, {"a": ("b",)}),
    *({"a": {"b": 1}}, object(), np.zeros(3), np.float32(0.1), np.bool_(True)),
)


@pytest.mark.parametrize("annotation", NOTHING_BUT, ids=str)
def test_what_is_annotated_passes(annotation: Any) -> None:
    for value in NOTHING_BUT[annotation]:
        require("key", value, annotation)


@pytest.mark.parametrize("annotation", NOTHING_BUT, ids=str)
def test_anything_else_is_one_short_line_that_names_the_key(annotation: Any) -> None:
    said = [message for value in WILD if (message := complaint(value, annotation))]
    assert len(said) > len(WILD) / 2
    for message in said:
        assert message.startswith("config.key")
        assert " must be " in message
        assert ", got " in message
        assert len(message) < 300
        assert "\n" not in message


def complaint(value: Any, annotation: Any) -> str:
    """What is said of a value; empty where nothing is."""
    try:
        require("config.key", value, annotation)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("value", "annotation", "message"),
    [
        ("abc", Count, "a whole number, at least 1, got 'abc'"),
        (0, Count, "at least 1, got 0"),
        (True, Count, "a whole number, at least 1, got True"),
        (10**8, Width, "at most 32768, got 100000000"),
        (math.nan, Weight, "a number, at least 0, got nan"),
        (math.inf, Weight, "a number, at least 0, got inf"),
        (1.0, Rate, "from 0 to below 1, got 1.0"),
        ("anger", Sequence[str], "a list, each of it a word, got 'anger'"),
        ((0,), Sequence[str], r"a list, each of it a word, got \(0,\)"),
        ((8, 0), tuple[Width, ...], r"a list, each of it at least 1, got \(8, 0\)"),
        (np.int64(-1), Count, "at least 1, got -1"),
        (np.str_("x"), Count, "a whole number, at least 1, got 'x'"),
        ("f99", Literal["f32", ""], "one of f32, '', got 'f99'"),
    ],
)
def test_the_message_says_what_would_be_right(
    value: Any, annotation: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^key must be {message}$"):
        require("key", value, annotation)


def test_a_mapping_names_the_key_within_it() -> None:
    strengths = {"dann": {"speaker": "much"}}
    with pytest.raises(ValueError, match=r"^arms\.dann\.speaker must be a number"):
        require("arms", strengths, Mapping[str, Mapping[str, Weight]])


def test_a_long_value_makes_no_long_message() -> None:
    for value in ("x" * 100_000, tuple(range(100_000)), {"a": "y" * 10**6}):
        assert 0 < len(complaint(value, Count)) < 300


def test_the_arguments_of_a_module_are_held_against_its_fields() -> None:
    class Layer(nn.Module):
        width: Width = 3

    assert call_checked("layer", Layer, width=5).width == 5
    with pytest.raises(ValueError, match=r"layer\.width must be at most 32768"):
        call_checked("layer", Layer, width=10**8)


def test_a_default_is_not_what_a_person_wrote() -> None:
    def function(*, rows: Annotated[int, Range(5)] = 0) -> int:
        return rows

    assert call_checked("it", function) == 0


def test_what_every_module_of_flax_takes_is_not_for_configs() -> None:
    with pytest.raises(ValueError, match="unexpected name; there are num_embeddings"):
        call_checked("config.encoder", nn.Embed, num_embeddings=2, features=3, name="x")
    assert (
        call_checked("config.encoder", nn.Embed, num_embeddings=2, features=3).features
        == 3
    )
