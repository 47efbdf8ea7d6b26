"""Hidden states by transformers' PyTorch models, for the Flax encoders to equal.

    python tests/pretrained_reference.py FOLDER [--whisper=MODEL --sound=FILE]

Writes a folder for each architecture: tiny random weights as transformers saves them,
and `expected.npz` with sound and what the model makes of it. It runs in a process of
its own (and in an environment of its own, if need be), because PyTorch and TensorFlow
do not bear each other. With real weights of Whisper, `whisper_real.npz` holds some
frames and channels of its hidden states for that recording, at its real length and
padded to 30 seconds.

`tests/fixtures/pretrained` was made by it with transformers 5.24 and torch 2.13.
"""

import argparse
import pathlib

import numpy as np
import torch
import transformers

LENGTHS = (700, 520)
WHISPER_LENGTHS = (6440, 4840)
"""Samples of two recordings; transformers' Whisper takes whole frames only."""

SPEECH = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "conv_dim": (8, 8, 8),
    "conv_stride": (5, 2, 2),
    "conv_kernel": (10, 3, 2),
    "num_conv_pos_embeddings": 6,
    "num_conv_pos_embedding_groups": 4,
}
LARGE = {
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "conv_bias": True,
    "num_conv_pos_embeddings": 5,
}
RELATIVE = {"num_buckets": 16, "max_bucket_distance": 20}
MODELS = {
    "wav2vec2": ("Wav2Vec2", SPEECH),
    "wav2vec2_large": ("Wav2Vec2", SPEECH | LARGE | {"hidden_act": "relu"}),
    "hubert": ("Hubert", SPEECH),
    "hubert_plain": (
        "Hubert",
        SPEECH | {"conv_pos_batch_norm": True, "feat_proj_layer_norm": False},
    ),
    "wavlm": ("WavLM", SPEECH | RELATIVE),
    "wavlm_large": ("WavLM", SPEECH | LARGE | RELATIVE),
}


def sound(generator: np.random.Generator, samples: int) -> np.ndarray:
    """A tone with noise and an offset, float32, of few digits."""
    time = np.arange(samples) / 16000
    tone = 0.3 * np.sin(2 * np.pi * generator.uniform(200, 2000) * time)
    noise = generator.normal(0.02, 0.05, samples)
    return (tone + noise).astype(np.float16).astype(np.float32)


def randomise(model: torch.nn.Module) -> None:
    """Weights of float16 that leave no part of a model without effect."""
    with torch.no_grad():
        for name, value in [*model.named_parameters(), *model.named_buffers()]:
            if not value.is_floating_point():
                continue
            noise = torch.randn_like(value)
            size = value.shape[1:].numel() if value.ndim > 1 else 25
            new = noise / size**0.5
            if value.ndim == 1 and not name.endswith(("bias", "mean")):
                new = 1 + new
            if name.endswith("var"):
                new = 1 + noise.abs()
            if name.endswith(("const", "original0", "embed.weight")):
                new = 1 + noise / 4
            value.copy_(new.half().float())


def states(model: torch.nn.Module, inputs: np.ndarray) -> np.ndarray:
    """All hidden states of one recording, float32 `[layers + 1, frames, width]`."""
    with torch.no_grad():
        output = model(torch.from_numpy(inputs)[None], output_hidden_states=True)
    return torch.cat(output.hidden_states).numpy()


def write_speech(folder: pathlib.Path, kind: str, sizes: dict, seed: int) -> None:
    """A model of the wav2vec 2.0 family."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    config = getattr(transformers, f"{kind}Config")(**sizes)
    model = getattr(transformers, f"{kind}Model")(config).eval()
    randomise(model)
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    expected = {}
    for index, length in enumerate(LENGTHS):
        waveform = sound(generator, length)
        inputs = extractor(waveform, sampling_rate=16000)["input_values"][0]
        expected[f"waveform_{index}"] = waveform.astype(np.float16)
        expected[f"states_{index}"] = states(model, np.asarray(inputs, np.float32))
    if kind == "WavLM":
        attention = model.encoder.layers[0].attention
        # As in the published models.
        attention.num_buckets, attention.max_distance = 320, 800
        distance = torch.arange(-1500, 1501)
        buckets = attention._relative_positions_bucket(distance)
        expected["buckets"] = buckets.numpy().astype(np.int16)
    save(folder, model, extractor, expected)


def write_whisper(folder: pathlib.Path, seed: int) -> None:
    """Whisper, whose positions are as many as the recording has frames."""
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    sizes = {
        "d_model": 16,
        "encoder_layers": 2,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 24,
        "num_mel_bins": 80,
    }
    config = transformers.WhisperConfig(
        **sizes, max_source_positions=30, decoder_layers=1
    )
    whole = transformers.models.whisper.modeling_whisper.WhisperEncoder(config).eval()
    randomise(whole)
    extractor = transformers.WhisperFeatureExtractor(feature_size=80)
    expected = {}
    for index, length in enumerate(WHISPER_LENGTHS):
        waveform = sound(generator, length)
        mel = extractor(waveform, sampling_rate=16000, padding="do_not_pad")
        mel = np.asarray(mel["input_features"][0], np.float32)
        model = shortened(whole, mel.shape[1] // 2)
        expected[f"waveform_{index}"] = waveform.astype(np.float16)
        expected[f"states_{index}"] = states(model, mel)
    expected |= spectrograms(waveform)
    save(folder, whole, extractor, expected)


def spectrograms(waveform: np.ndarray) -> dict[str, np.ndarray]:
    """Of the last recording: with zeros up to 30 seconds, and with 128 bands."""
    found = {}
    for name, bands, padding in (
        ("padded", 80, "max_length"),
        ("wide", 128, "longest"),
    ):
        extractor = transformers.WhisperFeatureExtractor(feature_size=bands)
        mel = extractor(waveform, sampling_rate=16000, padding=padding)
        found[name] = np.asarray(mel["input_features"][0], np.float32)[:, :16].T
    return found


def write_real(path: pathlib.Path, folder: pathlib.Path, sound: pathlib.Path) -> None:
    """What Whisper makes of a recording: every 20th frame and 16th channel."""
    import soundfile

    whole = transformers.models.whisper.modeling_whisper.WhisperEncoder
    whole = whole.from_pretrained(folder, dtype=torch.float32).eval()
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    waveform, rate = soundfile.read(sound, dtype="float32")
    expected = {}
    for name, padding in (("real", "do_not_pad"), ("padded", "max_length")):
        mel = extractor(waveform, sampling_rate=rate, padding=padding)
        mel = np.asarray(mel["input_features"][0], np.float32)
        hidden = states(shortened(whole, mel.shape[1] // 2), mel)
        real = len(waveform) // 320
        expected[name] = hidden[:, :real:20, ::16]
    np.savez_compressed(path, **expected)


def shortened(model: torch.nn.Module, frames: int) -> torch.nn.Module:
    """The same encoder for another length: transformers takes one only."""
    config = type(model.config)(
        **{**model.config.to_dict(), "max_source_positions": frames}
    )
    short = type(model)(config).eval()
    weights = dict(model.state_dict())
    name = "embed_positions.weight"
    weights[name] = weights[name][:frames]
    short.load_state_dict(weights)
    return short


def save(folder: pathlib.Path, model, extractor, expected: dict) -> None:
    """The model as transformers saves it, in float16, beside what it gave."""
    extractor.save_pretrained(folder)
    model.half().save_pretrained(folder)
    np.savez_compressed(folder / "expected.npz", **expected)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whisper", type=pathlib.Path)
    parser.add_argument("--sound", type=pathlib.Path)
    arguments = parser.parse_args()
    for name, (kind, sizes) in MODELS.items():
        write_speech(arguments.folder / name, kind, sizes, arguments.seed)
    write_whisper(arguments.folder / "whisper", arguments.seed)
    if arguments.whisper:
        path = arguments.folder / "whisper_real.npz"
        write_real(path, arguments.whisper, arguments.sound)


if __name__ == "__main__":
    main()
