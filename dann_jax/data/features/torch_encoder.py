"""Encoders of transformers that there are no Flax modules for, in another process."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dann_jax.data.features.torch_process import receive, send
from dann_jax.models.pretrained.pooling import Moments, merge, pooled
from dann_jax.models.pretrained.settings import PretrainedError

_CHUNK_SECONDS = 30.0
"""Of the longest part of a recording that is encoded at once."""


class TorchEncoder:
    """A model by `AutoModel`; it has what the extractor asks of a Flax encoder.

    The process is `torch_process.py`, run by this Python, or by the one that the
    environment variable `DANN_JAX_TORCH_PYTHON` names.

    Attributes:
      digest: of its weights, 32 hexadecimal digits.
      sample_rate: of the sound that it takes, in Hz.
      num_layers: hidden states are numbered 0 to this.
      width: values of a frame of a hidden state.
      min_samples: of the shortest sound that it takes.
    """

    def __init__(self, folder: str) -> None:
        """Start the process and have it read the model.

        Raises:
          PretrainedError: torch or transformers is not installed, or they cannot read
            the model.
        """
        self._folder = folder
        facts = self._start()
        self.digest: str = facts["digest"]
        self.sample_rate: int = facts["sample_rate"]
        self.num_layers: int = facts["num_layers"]
        self.width: int = facts["width"]
        self.min_samples: int = facts["min_samples"]

    def hidden_states(
        self, waveforms: Sequence[np.ndarray], layers: Sequence[int], pooling: str
    ) -> list[np.ndarray]:
        """As `models.pretrained.hidden_states`, one recording after the other.

        Args:
          waveforms: float32 `[samples]` each, at `sample_rate`.
          layers: their numbers.
          pooling: a word of `POOLINGS`.

        Returns:
          For each float32 `[layers, D]`, `[layers, 2 D]` or `[frames, layers, D]`.

        Raises:
          PretrainedError: the model refuses the sound, or its process died.
        """
        return [self._pooled(samples, layers, pooling) for samples in waveforms]

    def _pooled(
        self, samples: np.ndarray, layers: Sequence[int], pooling: str
    ) -> np.ndarray:
        parts = (self._frames(chunk, layers) for chunk in self._chunks(samples))
        if pooling == "frames":
            return np.concatenate(list(parts))
        return pooled(merge([_moments(frames) for frames in parts]), pooling)

    def _chunks(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        number = -(-len(samples) // int(_CHUNK_SECONDS * self.sample_rate))
        cuts = [len(samples) * part // number for part in range(number + 1)]
        for start, end in zip(cuts[:-1], cuts[1:], strict=True):
            yield np.ascontiguousarray(samples[start:end], np.float32)

    def _frames(self, samples: np.ndarray, layers: Sequence[int]) -> np.ndarray:
        """Float32 `[frames, layers, D]` of one chunk."""
        if self._process.ended():
            # One recording has killed it, not the next one too.
            self._process.close()
            self._start()
        return self._process.frames(samples, layers)

    def _start(self) -> dict[str, Any]:
        """A process that has read the model, and its facts."""
        self._process = _Process(self._folder)
        weakref.finalize(self, self._process.close)
        try:
            return self._process.answer()
        except PretrainedError:
            self._process.close()
            raise


class _Process:
    """A running `torch_process.py`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        python = os.environ.get("DANN_JAX_TORCH_PYTHON", sys.executable)
        script = pathlib.Path(__file__).with_name("torch_process.py")
        command = [python, os.fspath(script), folder]
        with contextlib.ExitStack() as stack:
            self._messages = stack.enter_context(tempfile.TemporaryFile())
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._messages,
                )
            except OSError as error:
                raise PretrainedError(f"{python} cannot start: {error}") from None
            stack.enter_context(self._process.stdin)
            stack.enter_context(self._process.stdout)
            self._files = stack.pop_all()

    def ended(self) -> bool:
        """Whether it is no more."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End it; nothing happens where it has been."""
        self._process.kill()
        self._process.wait()
        # What was not sent any more cannot be.
        with contextlib.suppress(BrokenPipeError):
            self._files.close()

    def frames(self, samples: np.ndarray, layers: Sequence[int]) -> np.ndarray:
        """Float32 `[frames, layers, D]` of float32 samples `[n]`."""
        with self._named_end():
            send(self._process.stdin, json.dumps(list(layers)).encode())
            send(self._process.stdin, samples.tobytes())
        shape = self.answer()["shape"]
        with self._named_end():
            values = np.frombuffer(receive(self._process.stdout), np.float32)
        return values.reshape(shape)

    def answer(self) -> dict[str, Any]:
        """What it says as JSON, unless that is an error."""
        with self._named_end():
            answer = json.loads(receive(self._process.stdout))
        if "missing" in answer:
            raise PretrainedError(
                f"{self._folder} is computed by PyTorch: pip install "
                f"'dann_jax[transformers]', or let DANN_JAX_TORCH_PYTHON name a Python "
                f"that has torch and transformers ({answer['missing']})"
            )
        if "error" in answer:
            raise PretrainedError(f"transformers, of {self._folder}: {answer['error']}")
        return answer

    @contextlib.contextmanager
    def _named_end(self) -> Iterator[None]:
        """The end of the process as an error that says what it printed last."""
        try:
            yield
        except (EOFError, OSError):
            code = self._process.wait()
            self._messages.seek(0)
            lines = self._messages.read().decode(errors="replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "")
            raise PretrainedError(
                f"the process that computes {self._folder} by PyTorch has ended with "
                f"code {code}: {last[:300]}"
            ) from None


def _moments(frames: np.ndarray) -> Moments:
    mean = frames.mean(0, dtype=np.float64)
    return Moments(np.array(len(frames)), mean, np.square(frames - mean).sum(0))
