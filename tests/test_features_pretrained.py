"""Features by a pretrained encoder: which numbers, by what, and who is refused."""

import functools
import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
from pretrained_models import FIXTURES, copied, waveforms

from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.catalogue import extractor_from, make_extractor
from dann_jax.data.features.extractor import Extractor, compute_each, mismatch
from dann_jax.data.features.pretrained import pretrained
from dann_jax.models import pretrained as encoders

WHISPER = FIXTURES / "whisper"
WIDTH = 16


def states(layers: list[int], pooling: str) -> np.ndarray:
    """Of the first recording, as the encoder itself gives them."""
    model = encoders.load(WHISPER)
    (found,) = encoders.hidden_states(
        model, waveforms("whisper")[:1], layers=layers, pooling=pooling
    )
    return found


def test_by_default_it_is_mean_and_deviation_of_the_middle_layer() -> None:
    extractor = pretrained(model=WHISPER)
    assert extractor.parameters["layers"] == [1]
    assert (extractor.dim, extractor.framewise) == (2 * WIDTH, False)
    values = extractor.compute(waveforms("whisper")[0])
    np.testing.assert_array_equal(values, states([1], "mean_std")[0])


@pytest.mark.parametrize("name", ["wav2vec2", "hubert", "wavlm"])
def test_every_kind_of_encoder_has_a_middle_layer(name: str) -> None:
    assert pretrained(model=FIXTURES / name).parameters["layers"] == [1]


@pytest.mark.parametrize(
    ("layers", "numbers"),
    [(2, [2]), ([2, 0], [2, 0]), (-1, [2]), ("all", [0, 1, 2]), ((0,), [0])],
)
def test_layers_stand_one_behind_the_other(layers: Any, numbers: list[int]) -> None:
    one = waveforms("whisper")[0]
    extractor = pretrained(model=WHISPER, layers=layers)
    assert extractor.parameters["layers"] == numbers
    values = extractor.compute(one)
    assert values.shape == (extractor.dim,)
    np.testing.assert_array_equal(values, states(numbers, "mean_std").ravel())
    frames = pretrained(model=WHISPER, layers=layers, pooling="frames")
    rows = frames.compute(one)
    assert rows.shape[1] == frames.dim == WIDTH * len(numbers)
    for place, number in enumerate(numbers):
        own = rows[:, place * WIDTH : (place + 1) * WIDTH]
        # Another program computes the one layer, and may round the last bit otherwise.
        np.testing.assert_allclose(own, states([number], "frames")[:, 0], atol=1e-6)
        np.testing.assert_allclose(
            values[2 * place * WIDTH : (2 * place + 1) * WIDTH],
            own.mean(0),
            atol=1e-5,
        )


@pytest.mark.parametrize("pooling", ["mean", "mean_std", "frames"])
@pytest.mark.parametrize("name", ["whisper", "wavlm"])
def test_no_number_of_an_utterance_depends_on_the_others(
    name: str, pooling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a batch with another, louder and longer one, and alone."""
    # On a CPU there would be one in a batch.
    together = functools.partial(encoders.hidden_states, batch_seconds=8.0)
    monkeypatch.setattr(encoders, "hidden_states", together)
    extractor = pretrained(model=FIXTURES / name, pooling=pooling, layers="all")
    one, other = waveforms(name)
    same_length = 3.0 * np.resize(other, len(one)).astype(np.float32)
    alone = extractor.compute(one)
    for neighbours in ([same_length], [other, same_length, same_length]):
        beside = extractor.compute_batch([*neighbours, one])[-1]
        np.testing.assert_allclose(beside, alone, atol=1e-5)


def test_the_provenance_is_of_the_weights_not_of_their_place_or_name(
    tmp_path: pathlib.Path,
) -> None:
    made = pretrained(model=WHISPER).provenance()
    other = tmp_path / "mine"
    shutil.copytree(WHISPER, other)
    moved = pretrained(model=other).provenance()
    assert str(tmp_path) not in json.dumps(moved)
    assert moved["about"] == {"model": "mine"}
    assert moved["hash"] == made["hash"]
    assert mismatch(made, moved) is None
    given = pretrained(model="openai/whisper-base", folder=other).provenance()
    assert given["about"] == {"model": "openai/whisper-base"}


def test_other_weights_in_the_same_folder_are_noticed(tmp_path: pathlib.Path) -> None:
    folder = copied("whisper", tmp_path / "model")
    made = pretrained(model=folder).provenance()
    shutil.rmtree(folder)
    changed = np.ones(WIDTH, np.float32)
    copied("whisper", folder, **{"layer_norm.weight": changed})
    assert "digest (expected" in mismatch(made, pretrained(model=folder).provenance())
    with pytest.raises(ValueError, match="holds another model: its digest is"):
        extractor_from(made, folder=folder)


@pytest.mark.parametrize(
    "parameters",
    [{"layers": 2}, {"layers": "all"}, {"pooling": "frames"}, {"pad_to_30s": True}],
)
def test_other_parameters_are_other_features(parameters: dict[str, Any]) -> None:
    usual = pretrained(model=WHISPER).provenance()
    other = pretrained(model=WHISPER, **parameters).provenance()
    assert other["hash"] != usual["hash"]
    assert f"{next(iter(parameters))} (expected" in mismatch(usual, other)
    again = extractor_from(json.loads(json.dumps(other)), folder=WHISPER)
    assert again.provenance() == other


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "needs a model"),
        ({"model": "/nowhere/at all"}, "no such folder: /nowhere/at all"),
        ({"model": "tiny", "folder": "/nowhere"}, "no such folder: /nowhere"),
        (
            {"model": "tiny", "digest": "0" * 32},
            "the folder tiny of the encoder is not",
        ),
        ({"model": WHISPER, "digest": "0" * 32}, "another model: its digest is"),
        ({"model": WHISPER, "sample_rate": 8000}, "sample_rate is 16000, needed"),
        ({"model": WHISPER, "layers": 3}, "numbered 0 to 2"),
        ({"model": WHISPER, "layers": []}, "numbered 0 to 2"),
        ({"model": WHISPER, "layers": "last"}, "layers='last': must be a number"),
        ({"model": WHISPER, "layers": [1.5]}, "must be a number"),
        ({"model": WHISPER, "layers": True}, "layers=True: must be a number"),
        ({"model": WHISPER, "pad_to_30s": "no"}, "must be True or False"),
        ({"model": WHISPER, "pooling": "max"}, "must be one of mean, mean_std"),
        (
            {"model": FIXTURES / "wavlm", "pad_to_30s": True},
            "pad_to_30s is for Whisper",
        ),
        ({"model": FIXTURES}, "has no config.json"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        make_extractor("pretrained", **parameters)
    assert "\n" not in str(refused.value)


def test_what_is_too_short_is_refused_in_seconds() -> None:
    extractor = pretrained(model=WHISPER)
    with pytest.raises(AudioError, match=r"0\.010 s are shorter than the 0\.013 s"):
        extractor.compute(np.zeros(160, np.float32))


def test_of_a_batch_that_fails_each_is_tried() -> None:
    def compute(number: float) -> np.ndarray:
        if number < 0:
            raise AudioError("below 0")
        return np.array([number])

    def compute_batch(numbers: list[float]) -> list[np.ndarray]:
        return [compute(number) for number in numbers]

    extractor = Extractor(
        "double", 1, {}, 1, False, compute, compute_batch=compute_batch
    )
    first, second, third = compute_each(extractor, [1.0, -1.0, 2.0])
    assert (first, third) == (1, 2)
    assert str(second) == "below 0"
