"""Layers of an encoder: chosen from a corpus."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
import pytest
from corpora_and_batches import toy_corpus
from layered_corpus import write_layered
from pretrained_models import FIXTURES, waveforms

from dann_jax.cli.config import change_config
from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.features.catalogue import extractor_from
from dann_jax.data.features.pretrained import pretrained
from dann_jax.data.frames import Frames
from dann_jax.data.layers import keep_layers, layers_of
from dann_jax.data.open import open_corpus
from dann_jax.experiment.config import base_config

WHISPER = FIXTURES / "whisper"


def prepared(layers: Any, pooling: str = "mean_std") -> Corpus:
    """Two recordings by an encoder, as a store of them would be."""
    extractor = pretrained(model=WHISPER, layers=layers, pooling=pooling)
    values = extractor.compute_batch(waveforms("whisper"))
    lengths = np.array([len(each) for each in values])
    array = (
        Frames(np.concatenate(values), lengths)
        if extractor.framewise
        else np.stack(values)
    )
    text = np.array(["a", "b"])
    return Corpus(
        "two",
        {"utt_id": text, "speaker": text, "emotion": np.array(["anger", "joy"])},
        {"pretrained": array, "other": np.zeros((2, 3), np.float32)},
        {"pretrained": np.ones(2, bool), "other": np.ones(2, bool)},
        {
            "dims": {"pretrained": extractor.dim, "other": 3},
            # A provenance has been through JSON.
            "features": {
                "pretrained": json.loads(json.dumps(extractor.provenance())),
                "other": None,
            },
        },
    )


def values_of(corpus: Corpus) -> np.ndarray:
    array = corpus.features["pretrained"]
    return array.values if isinstance(array, Frames) else array


@pytest.mark.parametrize("pooling", ["mean", "mean_std", "frames"])
@pytest.mark.parametrize("layers", [(1,), (2, 0)])
def test_layers_kept_are_those_that_an_extractor_of_them_alone_makes(
    layers: tuple[int, ...], pooling: str
) -> None:
    whole, alone = prepared("all", pooling), prepared(list(layers), pooling)
    kept = keep_layers(whole, layers)
    np.testing.assert_allclose(values_of(kept), values_of(alone), atol=1e-6)
    assert kept.provenance == alone.provenance
    assert layers_of(kept) == {"pretrained": layers}
    made = kept.provenance["features"]["pretrained"]
    assert extractor_from(made, folder=WHISPER).provenance() == made
    assert kept.features["other"] is whole.features["other"]


def test_neighbouring_layers_are_not_copied() -> None:
    whole = prepared("all", "frames")
    assert np.shares_memory(values_of(keep_layers(whole, (1, 2))), values_of(whole))
    assert layers_of(whole) == {"pretrained": (0, 1, 2)}


def test_what_is_no_layer_is_refused_with_those_that_there_are() -> None:
    whole = prepared((0, 2))
    with pytest.raises(CorpusError, match=r"'pretrained' has no layer 1; it has 0, 2"):
        keep_layers(whole, (0, 1))
    with pytest.raises(CorpusError, match=r"none of audio, text is recorded to have"):
        keep_layers(toy_corpus(), (0,))
    damaged = dataclasses.replace(
        whole, features={"pretrained": np.zeros((2, 7), np.float32)}
    )
    with pytest.raises(CorpusError, match="7 values of .* of 2 layers"):
        keep_layers(damaged, (0,))


def test_a_corpus_is_opened_with_the_layers_that_are_named(
    tmp_path: pathlib.Path,
) -> None:
    whole = prepared("all")
    folder = write_layered(tmp_path, whole)
    opened = open_corpus(folder, layers=(2,))
    np.testing.assert_array_equal(values_of(opened), values_of(keep_layers(whole, [2])))
    assert layers_of(open_corpus(folder)) == {"pretrained": (0, 1, 2)}
    with pytest.raises(ValueError, match="data.layers must be a list, each of it a wh"):
        open_corpus(folder, layers="2")
    with pytest.raises(CorpusError, match="none of other is recorded"):
        open_corpus(folder, modalities=("other",), layers=(2,))


@pytest.mark.parametrize(
    ("text", "layers"),
    [("3", (3,)), ("0,3", (0, 3)), ("(3,)", (3,)), ("()", ())],
)
def test_the_command_line_names_layers(text: str, layers: tuple[int, ...]) -> None:
    config = base_config()
    change_config(config, ["x", f"--config.data.layers={text}"])
    assert config.data.layers == layers
