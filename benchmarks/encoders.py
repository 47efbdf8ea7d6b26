"""What a pretrained encoder costs: core-seconds a second of sound, each layer's share.

    taskset -c 0 python -m benchmarks.encoders --model=FOLDER --source=DIR

Recordings are read before the clock starts, and every program is compiled before; the
smallest of the rounds counts, of the processor's time of this process. With
`--side=torch` transformers' model does the same at the same real lengths, one recording
at a time; that side imports no JAX and may run in an environment of its own.
"""

import argparse
import pathlib
import time
from collections.abc import Callable

import numpy as np


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", required=True, help="folder or Hugging Face name")
    add("--source", required=True, help="folder of recordings at 16 kHz")
    add("--files", type=int, default=24)
    add("--rounds", type=int, default=5)
    add("--pad_to_30s", action="store_true")
    add("--side", choices=("flax", "torch"), default="flax")
    options = parser.parse_args()
    waveforms = recordings(options.source, options.files)
    seconds = sum(map(len, waveforms)) / 16000
    print(f"{len(waveforms)} recordings, {seconds:.0f} s of sound")
    sides = {"flax": flax_side, "torch": torch_side}[options.side]
    for name, run in sides(options, waveforms).items():
        began = time.perf_counter()
        run()
        first = time.perf_counter() - began
        taken = []
        for _ in range(options.rounds):
            began = time.process_time()
            run()
            taken.append(time.process_time() - began)
        print(
            f"{name:18s} {min(taken) / seconds:.4f} core-seconds a second of sound, "
            f"{first:.1f} s the first time"
        )


def recordings(source: str, number: int) -> list[np.ndarray]:
    """So many of the recordings, spread over all of them."""
    import soundfile

    paths = sorted(
        path
        for path in pathlib.Path(source).rglob("*")
        if path.suffix in (".wav", ".flac")
    )
    places = np.linspace(0, len(paths) - 1, min(number, len(paths))).astype(int)
    return [soundfile.read(paths[place], dtype="float32")[0] for place in places]


def flax_side(options, waveforms: list[np.ndarray]) -> dict[str, Callable]:
    """The middle layer alone, and all of them."""
    from dann_jax.models import pretrained

    model = pretrained.load(options.model, pad_to_30s=options.pad_to_30s)
    middle = model.num_layers // 2
    return {
        f"layer {middle}": lambda: pretrained.hidden_states(
            model, waveforms, layers=[middle]
        ),
        "all layers": lambda: pretrained.hidden_states(model, waveforms),
    }


def torch_side(options, waveforms: list[np.ndarray]) -> dict[str, Callable]:
    """The middle layer alone, without blocks above it, and all of them."""
    import torch
    import transformers
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    torch.set_num_threads(1)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(options.model)
    whisper = extractor.feature_extractor_type == "WhisperFeatureExtractor"
    kind = WhisperEncoder if whisper else transformers.AutoModel
    model = kind.from_pretrained(options.model, dtype=torch.float32).eval()
    table = model.embed_positions.weight if whisper else None
    padding = "max_length" if options.pad_to_30s else "do_not_pad"

    # Blocks above the highest layer asked for need not be computed there either.
    blocks = model.layers if whisper else model.encoder.layers
    middle = len(blocks) // 2

    @torch.no_grad()
    def run(number: int) -> None:
        kept = blocks[:number]
        if whisper:
            model.layers = kept
        else:
            model.encoder.layers = kept
        for waveform in waveforms:
            inputs = extractor(
                waveform, sampling_rate=16000, padding=padding, return_tensors="pt"
            )
            inputs = next(iter(inputs.values()))
            if whisper:
                # Only so can it be made to take another length than 30 seconds.
                inputs = inputs[..., : inputs.shape[-1] // 2 * 2]
                frames = inputs.shape[-1] // 2
                model.config.max_source_positions = frames
                model.embed_positions = torch.nn.Embedding(
                    frames, table.shape[1], _weight=table[:frames]
                )
            hidden = model(inputs, output_hidden_states=True).hidden_states
            torch.cat(hidden).mean(1).numpy()

    return {
        f"torch, layer {middle}": lambda: run(middle),
        "torch, all layers": lambda: run(len(blocks)),
    }


if __name__ == "__main__":
    main()
