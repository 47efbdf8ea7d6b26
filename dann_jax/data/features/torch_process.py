"""An encoder by transformers' AutoModel, in a process that knows nothing else.

    python torch_process.py FOLDER

It imports neither JAX nor TensorFlow, which PyTorch does not bear beside it, nor this
package: whichever Python has torch and transformers can run it. `torch_encoder.py`
starts it and asks over its standard input and output, in messages that begin with
their length: first come facts as JSON, then for every request (layers as JSON, samples
as float32) a shape and the frames of these layers `[frames, layers, width]` as float32,
or an error.
"""

import hashlib
import json
import math
import os
import sys
from typing import BinaryIO

UNUSED = ("masked_spec_embed",)
"""Weights of the training alone, which many models lack."""


def send(stream: BinaryIO, message: bytes) -> None:
    """Write a message."""
    stream.write(len(message).to_bytes(8, "big") + message)
    stream.flush()


def receive(stream: BinaryIO) -> bytes:
    """Read a message that `send` wrote.

    Raises:
      EOFError: there is no more.
    """
    head = stream.read(8)
    message = stream.read(int.from_bytes(head, "big"))
    if len(head) < 8 or len(message) < int.from_bytes(head, "big"):
        raise EOFError("the other process has ended")
    return message


class Model:
    """The encoder part of a model, with its feature extractor."""

    def __init__(self, folder: str) -> None:
        import torch
        import transformers

        transformers.utils.logging.set_verbosity_error()
        self.torch = torch
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.extract = transformers.AutoFeatureExtractor.from_pretrained(folder)
        model, found = transformers.AutoModel.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
        lacks = [k for k in found["missing_keys"] if not k.endswith(UNUSED)]
        if lacks:
            raise ValueError(f"its weights lack {lacks[0]} and {len(lacks) - 1} more")
        if model.config.is_encoder_decoder:
            model = model.get_encoder()
        self.model = model.eval().to(self.device)

    def facts(self) -> dict:
        """What the encoder is; one second of silence tells its sizes."""
        rate = int(self.extract.sampling_rate)
        silence = self.torch.zeros(rate).numpy()
        _, layers, width = self.states(silence, None).shape
        return {
            "digest": self.digest(),
            "sample_rate": rate,
            "num_layers": layers - 1,
            "width": width,
            "min_samples": self.min_samples(),
        }

    def digest(self) -> str:
        """Of all weights as numbers, whatever their type on disk."""
        digest = hashlib.blake2b(digest_size=16)
        for name, value in sorted(self.model.state_dict().items()):
            if not name.endswith(UNUSED):
                digest.update(f"{name} {tuple(value.shape)}".encode())
                digest.update(value.float().cpu().numpy().tobytes())
        return digest.hexdigest()

    def min_samples(self) -> int:
        """What makes one frame, where the config says so; else 25 ms."""
        config, samples = self.model.config, 1
        kernels = getattr(config, "conv_kernel", ()) or ()
        strides = getattr(config, "conv_stride", ()) or ()
        for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples if kernels else math.ceil(self.extract.sampling_rate / 40)

    def states(self, samples, layers):
        """Hidden states `[frames, layers, width]` of `[n]` samples; None for all."""
        inputs = self.extract(
            samples,
            sampling_rate=self.extract.sampling_rate,
            return_tensors="pt",
            return_attention_mask=True,
        )
        values = inputs[self.extract.model_input_names[0]]
        if (mask := inputs.get("attention_mask")) is not None:
            # Some pad to whole strides; padding must not be pooled.
            values = values[:, : int(mask.sum())]
        with self.torch.inference_mode():
            found = self.model(values.to(self.device), output_hidden_states=True)
        hidden = found.hidden_states
        chosen = hidden if layers is None else [hidden[layer] for layer in layers]
        return self.torch.stack(list(chosen), 2)[0].float().cpu().numpy()


def serve(folder: str, requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until nobody asks any more."""

    def attempt(function, *arguments) -> object:
        """The result, or None where an error has been sent."""
        try:
            return function(*arguments)
        # Other people's code may raise anything; what it is is for people.
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            kind = "missing" if isinstance(error, ImportError) else "error"
            send(replies, json.dumps({kind: reason}).encode())
            return None

    model = attempt(Model, folder)
    facts = model and attempt(model.facts)
    if facts is None:
        return
    send(replies, json.dumps(facts).encode())
    import numpy as np

    while True:
        try:
            layers = json.loads(receive(requests))
            samples = np.frombuffer(receive(requests), np.float32)
        except EOFError:
            return
        states = attempt(model.states, samples, layers)
        if states is not None:
            send(replies, json.dumps({"shape": states.shape}).encode())
            send(replies, states.tobytes())


if __name__ == "__main__":
    # The files beside this one are no modules of others, whatever their names.
    del sys.path[0]
    # What libraries print must not mix with the answers.
    answers = os.dup(1)
    os.dup2(2, 1)
    with open(answers, "wb") as replies:
        serve(sys.argv[1], sys.stdin.buffer, replies)
