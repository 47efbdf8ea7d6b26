"""Loading an encoder: from any files that transformers writes, and no others."""

import json
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from pretrained_models import FIXTURES, NAMES, copied, equal, refused
from safetensors.numpy import load_file, save_file

import dann_jax
from dann_jax.models import pretrained


def tensors(name: str) -> dict[str, np.ndarray]:
    return load_file(FIXTURES / name / "model.safetensors")


def changed(folder: pathlib.Path, file: str, **values) -> pathlib.Path:
    """The folder with other values in a JSON file; None removes a key."""
    known = json.loads((folder / file).read_text()) | values
    known = {key: value for key, value in known.items() if value is not None}
    (folder / file).write_text(json.dumps(known))
    return folder


def test_the_package_offers_it_by_its_short_name() -> None:
    model = dann_jax.pretrained.load(FIXTURES / "hubert")
    assert (model.num_layers, model.width, model.sample_rate) == (2, 16, 16000)
    assert model.config["model_type"] == "hubert"


@pytest.mark.parametrize("name", NAMES)
def test_shards_prefixes_and_heads_change_nothing(name: str, tmp_path) -> None:
    whisper = name == "whisper"
    prefix = "model.encoder." if whisper else f"{name.split('_')[0]}."
    heads = ("proj_out.weight", "model.decoder.layers.0.fc1.bias")
    heads = heads if whisper else ("lm_head.weight", f"{prefix}masked_spec_embed")
    values = {f"{prefix}{key}": value for key, value in tensors(name).items()}
    values |= {head: np.ones(3, np.float32) for head in heads}
    folder = copied(name, tmp_path / name)
    (folder / "model.safetensors").unlink()
    keys = sorted(values)
    weight_map = {}
    for shard in range(2):
        file = f"model-0000{shard + 1}-of-00002.safetensors"
        part = {key: values[key] for key in keys[shard::2]}
        save_file(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    index = json.dumps({"metadata": {}, "weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index)
    whole, sharded = pretrained.load(FIXTURES / name), pretrained.load(folder)
    assert equal(whole, sharded)
    assert whole.digest == sharded.digest and len(whole.digest) == 32
    (folder / file).unlink()
    assert f"lacks {file}" in refused(folder)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_of_any_precision_are_read(dtype, tmp_path) -> None:
    kept = {
        key: np.asarray(jnp.asarray(value, jnp.bfloat16).astype(dtype))
        for key, value in tensors("hubert").items()
    }
    one = pretrained.load(copied("hubert", tmp_path / "one", **kept))
    exact = {key: value.astype(np.float32) for key, value in kept.items()}
    other = pretrained.load(copied("hubert", tmp_path / "other", **exact))
    assert equal(one, other) and one.digest == other.digest
    assert one.digest != pretrained.load(FIXTURES / "hubert").digest


@pytest.mark.parametrize("name", NAMES)
def test_every_missing_tensor_is_named(name: str, tmp_path) -> None:
    unread = ("masked_spec_embed", "num_batches_tracked")
    for place, key in enumerate(sorted(tensors(name))):
        if key.endswith(unread):
            continue
        folder = copied(name, tmp_path / str(place), **{key: None})
        message = refused(folder)
        assert f"{key!r} is missing" in message


@pytest.mark.parametrize("name", NAMES)
def test_every_wrong_shape_is_named(name: str, tmp_path) -> None:
    unread = ("masked_spec_embed", "num_batches_tracked")
    for place, (key, value) in enumerate(sorted(tensors(name).items())):
        if key.endswith(unread):
            continue
        wrong = np.concatenate([value, value])
        message = refused(copied(name, tmp_path / str(place), **{key: wrong}))
        assert f"{key!r} has the shape {list(wrong.shape)}" in message
        assert f"makes it {list(value.shape)}" in message


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("whisper", "layers.0.self_attn.k_proj.bias"),
        ("whisper", "layers.2.fc1.weight"),
        ("hubert", "feature_extractor.conv_layers.1.layer_norm.bias"),
        ("wav2vec2", "encoder.layers.0.attention.gru_rel_pos_const"),
        ("wavlm", "encoder.layers.1.attention.rel_attn_embed.weight"),
        ("wavlm", "something"),
    ],
)
def test_a_surplus_tensor_is_named(name: str, key: str, tmp_path) -> None:
    """A head may be left over; what another encoder would need may not."""
    folder = copied(name, tmp_path / "a", **{key: np.ones(2, np.float32)})
    assert f"{key!r} have no place" in refused(folder)


def test_weights_that_are_no_numbers_or_quantised_are_refused(tmp_path) -> None:
    key = "layer_norm.weight"
    bad = np.full(16, np.nan, np.float16)
    assert "not finite" in refused(copied("whisper", tmp_path / "a", **{key: bad}))
    bad = np.ones(16, np.int8)
    assert "is of type int8" in refused(copied("whisper", tmp_path / "b", **{key: bad}))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model_type": "bert"}, "model_type is 'bert'; there are encoders for"),
        ({"model_type": None}, "model_type is None"),
        ({"hidden_size": None}, "the key 'hidden_size' is missing"),
        ({"hidden_size": "16"}, "hidden_size is '16'; it must be of type int"),
        ({"hidden_size": True}, "hidden_size is True"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0; it must be at least 1"),
        ({"hidden_act": "mish"}, "hidden_act is 'mish'; it must be one of gelu"),
        ({"feat_extract_norm": "batch"}, "must be 'group' or 'layer'"),
        ({"conv_dim": [8, 8]}, "must be of one length"),
        ({"conv_dim": [8, 8, "8"]}, "conv_dim is"),
        ({"num_attention_heads": 3}, "cannot be divided among 3"),
        ({"num_conv_pos_embedding_groups": 3}, "must be a multiple of"),
        ({"adapter_attn_dim": 16}, "language adapters"),
        ({"conv_bias": True}, "conv.bias' is missing"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(values, said: str, tmp_path) -> None:
    folder = changed(copied("hubert", tmp_path / "a"), "config.json", **values)
    message = refused(folder)
    assert said in message and str(folder) in message


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("whisper", {"feature_size": 128}, "feature_size is 128, but the encoder"),
        ("whisper", {"feature_size": None}, "'feature_size' must be of type int"),
        ("whisper", {"dither": 0.1}, "dither adds noise"),
        ("hubert", {"do_normalize": None}, "'do_normalize' must be of type bool"),
    ],
)
def test_a_front_end_that_does_not_fit_is_refused(name, values, said, tmp_path) -> None:
    file = "preprocessor_config.json"
    folder = changed(copied(name, tmp_path / "a"), file, **values)
    message = refused(folder)
    assert said in message and file in message


def test_only_whisper_is_padded() -> None:
    assert "pad_to_30s is for Whisper" in refused(FIXTURES / "hubert", pad_to_30s=True)


def test_a_front_end_may_lie_in_the_config_of_a_processor(tmp_path) -> None:
    folder = copied("hubert", tmp_path / "a")
    path = folder / "preprocessor_config.json"
    nested = {"feature_extractor": json.loads(path.read_text())}
    path.unlink()
    (folder / "processor_config.json").write_text(json.dumps(nested))
    assert pretrained.load(folder).front_end == (
        pretrained.load(FIXTURES / "hubert").front_end
    )


@pytest.mark.parametrize(
    "file", ["config.json", "preprocessor_config.json", "model.safetensors"]
)
def test_an_absent_or_broken_file_is_named(file: str, tmp_path) -> None:
    folder = copied("wavlm", tmp_path / "a")
    (folder / file).write_text("{")
    assert f"{folder / file} cannot be read" in refused(folder)
    (folder / file).unlink()
    assert f"{folder} has no {file}" in refused(folder)


def test_a_config_or_an_index_of_another_form_is_named(tmp_path) -> None:
    folder = copied("wavlm", tmp_path / "a")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text("[]")
    assert "is no index" in refused(folder)
    (folder / "config.json").write_text("[]")
    assert "must hold a JSON object" in refused(folder)


def test_a_compute_type_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="dtype=int8: must be one of float32"):
        pretrained.load(FIXTURES / "hubert", dtype="int8")
