"""Log mel spectra and cepstra, frame by frame."""

import numpy as np

from dann_jax.features.extractor import Extractor


def logmel(*, n_mels: int = 64) -> Extractor:
    """Logarithm of the energy in mel bands, float32 `[frames, n_mels]`."""

    def compute(samples: np.ndarray) -> np.ndarray:
        import librosa

        mel = librosa.feature.melspectrogram(
            y=samples, sr=16000, n_fft=512, hop_length=160, n_mels=n_mels
        )
        return np.log(mel.T + 1e-10).astype(np.float32)

    return Extractor(
        name="logmel",
        version=0,
        parameters={"n_mels": n_mels},
        dim=n_mels,
        framewise=True,
        compute=compute,
        packages=("librosa",),
    )
