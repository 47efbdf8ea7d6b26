"""Pretrained speech encoders: Whisper, wav2vec 2.0, XLS-R, HuBERT and WavLM in Flax.

```
import dann_jax

whisper = dann_jax.pretrained.load("openai/whisper-base")
features = dann_jax.pretrained.hidden_states(whisper, waveforms, layers=[3])
```

The modules are pure functions of parameters, inputs and lengths, so that they can be
jitted, sharded, differentiated and trained further like any other linen module. They
give what transformers' PyTorch models give, hidden state by hidden state.
"""

from dann_jax.models.pretrained.encode import hidden_states
from dann_jax.models.pretrained.front_end import LogMel, Waveform
from dann_jax.models.pretrained.load import Pretrained, from_config, load
from dann_jax.models.pretrained.settings import (
    PretrainedError,
    SpeechSettings,
    WhisperSettings,
)
from dann_jax.models.pretrained.wav2vec2 import SpeechEncoder
from dann_jax.models.pretrained.whisper import WhisperEncoder

__all__ = [
    "LogMel",
    "Pretrained",
    "PretrainedError",
    "SpeechEncoder",
    "SpeechSettings",
    "Waveform",
    "WhisperEncoder",
    "WhisperSettings",
    "from_config",
    "hidden_states",
    "load",
]
