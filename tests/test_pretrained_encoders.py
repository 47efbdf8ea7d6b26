"""The Flax encoders give what transformers' PyTorch models give."""

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pretrained_models import FIXTURES, NAMES, copied, expected, waveforms
from safetensors.numpy import load_file

from dann_jax.models import pretrained
from dann_jax.models.pretrained.front_end import LogMel
from dann_jax.models.pretrained.relative import distance_buckets
from dann_jax.models.pretrained.wav2vec2 import grouped_convolution


@pytest.fixture(scope="module")
def encoders() -> dict[str, pretrained.Pretrained]:
    return {name: pretrained.load(FIXTURES / name) for name in NAMES}


def padded(model: pretrained.Pretrained, recordings, length: int, fill: float):
    """A batch with something beyond the ends."""
    batch = np.full((len(recordings), length), fill, np.float32)
    for row, samples in zip(batch, recordings, strict=True):
        row[: len(samples)] = model.front_end.prepare(samples)
    return jnp.array(batch), jnp.array([len(samples) for samples in recordings])


def states(front_end, module, params, waveform, lengths, **options):
    """Hidden states of padded recordings, and how many frames of each are real."""
    inputs, attended = front_end(waveform, lengths)
    hidden = module.apply({"params": params}, inputs, attended, **options)
    return hidden, module.settings.num_frames(attended)


compiled = jax.jit(states, static_argnames=("front_end", "module"))


def encoded(model: pretrained.Pretrained, recordings, length: int, fill=0.0, **options):
    """The real frames of each recording of a padded batch, `[L, T, D]`.

    Where layers are named nothing is compiled but single operations, which serve all of
    them.
    """
    batch = padded(model, recordings, length, fill)
    compute = states if options else compiled
    given = model.front_end, model.module, model.params
    hidden, frames = compute(*given, *batch, **options)
    return [
        np.stack([np.asarray(layer[row, :count]) for layer in hidden])
        for row, count in enumerate(frames)
    ]


@pytest.fixture(scope="module")
def all_layers(encoders) -> Callable[[str], np.ndarray]:
    """All hidden states of a model's first recording, computed once.

    By single operations: what is compiled is the second recording.
    """

    @cache
    def of(name: str) -> np.ndarray:
        waveform = waveforms(name)[0]
        return encoded(encoders[name], [waveform], len(waveform), layers=None)[0]

    return of


@pytest.mark.parametrize("name", NAMES)
def test_all_hidden_states_are_those_of_transformers(
    name: str, encoders, all_layers
) -> None:
    waveform = waveforms(name)[1]
    (second,) = encoded(encoders[name], [waveform], len(waveform))
    for index, found in enumerate((all_layers(name), second)):
        wanted = expected(name)[f"states_{index}"]
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=1e-4, rtol=0)


@pytest.mark.parametrize("fill", [0.0, 0.7])
@pytest.mark.parametrize("name", NAMES)
def test_a_padded_batch_equals_its_recordings(
    name: str, fill, encoders, all_layers
) -> None:
    """Of any length, odd ones too, whatever stands beyond their ends."""
    first, second = waveforms(name)
    recordings = [first, second, second[: len(second) - 173]]
    length = len(first) + 640
    together = encoded(encoders[name], recordings, length, fill)
    others = [encoded(encoders[name], [one], len(one))[0] for one in recordings[1:]]
    for alone, found in zip([all_layers(name), *others], together, strict=True):
        assert found.shape == alone.shape
        np.testing.assert_allclose(found, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("layers", [(0,), (1,), (2,), (-1, 0), (1, 2)])
@pytest.mark.parametrize("name", NAMES)
def test_chosen_layers_are_those_of_a_full_run(
    name: str, layers, encoders, all_layers
) -> None:
    waveform, full = waveforms(name)[0], all_layers(name)
    (some,) = encoded(encoders[name], [waveform], len(waveform), layers=layers)
    np.testing.assert_allclose(some, full[list(layers)], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["whisper", "wavlm"])
def test_blocks_above_the_highest_layer_are_not_computed(name: str, encoders) -> None:
    """Not even their parameters are needed."""
    model = encoders[name]
    low = {
        key: value
        for key, value in model.params.items()
        if key not in ("block_2", "norm") or (key, name) == ("norm", "wavlm")
    }
    waveform, lengths = padded(model, waveforms(name)[:1], 6440, 0.0)
    inputs, attended = model.front_end(waveform, lengths)
    apply = jax.jit(model.module.apply, static_argnames="layers")
    (layer,) = apply({"params": low}, inputs, attended, layers=(1,))
    everything = apply({"params": model.params}, inputs, attended)
    np.testing.assert_allclose(layer, everything[1], atol=1e-6)
    with pytest.raises(Exception, match="block_2"):
        apply({"params": low}, inputs, attended, layers=(2,))


@pytest.mark.parametrize("layers", [(), (3,), (-4,)])
def test_a_layer_that_there_is_not_is_refused(layers, encoders) -> None:
    with pytest.raises(ValueError, match="numbered 0 to 2"):
        encoded(encoders["hubert"], waveforms("hubert"), 700, layers=layers)


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_those_that_the_module_makes(name: str, encoders) -> None:
    model = encoders[name]
    waveform, lengths = padded(model, waveforms(name)[:1], 6440, 0.0)
    inputs, attended = model.front_end(waveform, lengths)
    made = jax.eval_shape(model.module.init, jax.random.key(0), inputs, attended)
    shapes = jax.tree.map(lambda value: (value.shape, value.dtype), made["params"])
    read = jax.tree.map(lambda value: (value.shape, value.dtype), model.params)
    assert shapes == read


@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, "bfloat16") for name in NAMES), ("whisper", "float16")],
)
def test_low_precision_gives_nearly_the_same(name: str, dtype, all_layers) -> None:
    model = pretrained.load(FIXTURES / name, dtype=dtype)
    assert {value.dtype.name for value in jax.tree.leaves(model.params)} == {dtype}
    waveform = waveforms(name)[0]
    (low,) = encoded(model, [waveform], len(waveform))
    full = all_layers(name)
    assert low.dtype.name == dtype
    error = np.abs(low.astype(np.float32) - full).mean() / np.abs(full).mean()
    assert 0 < error < {"bfloat16": 3e-2, "float16": 4e-3}[dtype]


def test_names_from_before_parametrisations_are_read(tmp_path) -> None:
    part = "encoder.pos_conv_embed.conv"
    values = load_file(FIXTURES / "wavlm" / "model.safetensors")
    renamed = {}
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        name = f"{part}.parametrizations.weight.{new}"
        renamed |= {name: None, f"{part}.{old}": values[name]}
    old = pretrained.load(copied("wavlm", tmp_path / "old", **renamed))
    new = pretrained.load(FIXTURES / "wavlm")
    assert jax.tree.all(jax.tree.map(np.array_equal, old.params, new.params))


def test_spectrograms_are_those_of_transformers() -> None:
    wanted, waveform = expected("whisper"), waveforms("whisper")[1]
    lengths = jnp.array([len(waveform)])
    padding, frames = LogMel(80, pad_to_30s=True)(waveform[None], lengths)
    assert (padding.shape, frames.tolist()) == ((1, 3000, 80), [3000])
    np.testing.assert_allclose(padding[0, :16], wanted["padded"], atol=1e-4)
    wide, frames = LogMel(128)(waveform[None], lengths)
    assert (wide.shape, frames.tolist()) == ((1, 30, 128), [30])
    np.testing.assert_allclose(wide[0, :16], wanted["wide"], atol=1e-4)


def test_whisper_attends_to_the_padding_of_30_seconds_if_asked_to(tmp_path) -> None:
    rows = np.random.default_rng(0).normal(size=(1500, 16)).astype(np.float16)
    folder = copied("whisper", tmp_path / "a", **{"embed_positions.weight": rows})
    text = (folder / "config.json").read_text()
    text = text.replace('"max_source_positions": 30', '"max_source_positions": 1500')
    (folder / "config.json").write_text(text)
    waveform = waveforms("whisper")[0]
    real = pretrained.hidden_states(pretrained.load(folder), [waveform])
    padded = pretrained.hidden_states(
        pretrained.load(folder, pad_to_30s=True), [waveform], pooling="frames"
    )
    assert padded[0].shape == (20, 3, 16)  # Only real frames come out.
    assert np.abs(padded[0].mean(0) - real[0])[1:].max() > 1e-3


def test_a_spectrogram_longer_than_the_positions_is_refused(encoders) -> None:
    model = encoders["whisper"]
    with pytest.raises(ValueError, match="61 frames is too long: .* for 60"):
        model.module.apply(
            {"params": model.params}, jnp.zeros((1, 61, 80)), jnp.array([61])
        )


@pytest.mark.parametrize("name", ["wavlm", "wavlm_large"])
def test_distances_fall_into_the_buckets_of_wavlm(name: str) -> None:
    distance = np.arange(-1500, 1501)
    buckets = distance_buckets(distance, 320, 800)
    np.testing.assert_array_equal(buckets, expected(name)["buckets"])


def test_a_convolution_group_by_group_is_that_of_xla() -> None:
    keys = jax.random.split(jax.random.key(0))
    x = jax.random.normal(keys[0], (2, 9, 6))
    kernel = jax.random.normal(keys[1], (4, 2, 6))
    wanted = jax.lax.conv_general_dilated(
        x,
        kernel,
        (1,),
        "VALID",
        dimension_numbers=("NWC", "WIO", "NWC"),
        feature_group_count=3,
    )
    np.testing.assert_allclose(grouped_convolution(x, kernel, 3), wanted, atol=1e-5)


def test_gradients_reach_every_parameter(encoders) -> None:
    """So that an encoder can be trained through a reversal."""
    model = encoders["wavlm"]
    waveform, lengths = padded(model, waveforms("wavlm"), 700, 0.0)

    def loss(params):
        hidden = model.module.apply({"params": params}, waveform, lengths)
        return sum(jnp.square(layer[:, :10]).sum() for layer in hidden)

    gradients = jax.jit(jax.grad(loss))(model.params)
    assert all(np.abs(value).max() > 0 for value in jax.tree.leaves(gradients))
