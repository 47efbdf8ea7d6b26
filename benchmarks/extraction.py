"""The engine of `dann-prepare` against the loop that one would write with librosa.

    PYTHONPATH=. python benchmarks/extraction.py --source=../shared/data/ravdess

Both compute, from the same files, log mel spectra and statistics of pitch, energy,
spectral shape and MFCCs. The loop takes from librosa what comes nearest to
`functionals` (which also has harmonicity, jitter and rhythm); it is one process and
reads with `librosa.load(sr=16000)`. Each side starts cold, imports and worker start-up
included, and the two take turns; the ratio is of the medians.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

RATE, HOP, FFT = 16000, 160, 512
STATISTICS = (np.mean, np.std, np.min, np.max)


def main() -> None:
    """Time both sides, or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", required=True, help="folder of recordings")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pitch", choices=("yin", "pyin"), default="yin")
    parser.add_argument("--side", choices=("loop", "engine"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    files = recordings(chosen.source, chosen.files)
    if chosen.side:
        {"loop": loop, "engine": engine}[chosen.side](chosen, files)
        return
    seconds = {"loop": [], "engine": []}
    for _ in range(chosen.repeats):
        for side, taken in seconds.items():
            command = [sys.executable, __file__, *sys.argv[1:], f"--side={side}"]
            started = time.perf_counter()
            subprocess.run(command, check=True)
            taken.append(time.perf_counter() - started)
    report(files, chosen, {s: statistics.median(t) for s, t in seconds.items()})


def recordings(source: str, number: int) -> list[pathlib.Path]:
    """So many of the recordings, spread over all of them."""
    found = sorted(
        path
        for path in pathlib.Path(source).rglob("*")
        if path.suffix in (".wav", ".flac")
    )
    places = np.linspace(0, len(found) - 1, min(number, len(found))).astype(int)
    return [found[place] for place in places]


def report(
    files: list[pathlib.Path], chosen: argparse.Namespace, medians: dict[str, float]
) -> None:
    """Print what was measured."""
    import soundfile

    audio = sum(soundfile.info(file).duration for file in files)
    print(f"{len(files)} files, {audio:.0f} s of audio, {chosen.repeats} runs each")
    for side, taken in medians.items():
        workers = {"loop": 1, "engine": chosen.workers}[side]
        print(
            f"{side:6s} {workers} processes {taken:7.1f} s, "
            f"{audio / taken:6.1f} x real time"
        )
    print(f"ratio {medians['loop'] / medians['engine']:.2f}")


def engine(chosen: argparse.Namespace, files: list[pathlib.Path]) -> None:
    """What `dann-prepare` does before it writes the store."""
    from dann_jax.data.features.extraction import extract

    columns = {
        "utt_id": np.array([file.stem for file in files]),
        "file": np.array([str(file.resolve()) for file in files]),
        "speaker": np.full(len(files), ""),
    }
    with tempfile.TemporaryDirectory() as folder:
        extract(
            columns,
            "/",
            {"logmel": {}, "functionals": {}},
            folder,
            name="benchmark",
            workers=chosen.workers,
        )


def loop(chosen: argparse.Namespace, files: list[pathlib.Path]) -> None:
    """One file after the other, as one would write it."""
    import librosa

    for file in files:
        samples, rate = librosa.load(file, sr=RATE)
        frames = {"n_fft": FFT, "hop_length": HOP}
        mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_mels=64, **frames)
        logmel = librosa.power_to_db(mel)
        described = [
            librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=13, **frames),
            librosa.feature.rms(y=samples, frame_length=FFT, hop_length=HOP),
            librosa.feature.zero_crossing_rate(
                samples, frame_length=FFT, hop_length=HOP
            ),
            librosa.feature.spectral_centroid(y=samples, sr=rate, **frames),
            librosa.feature.spectral_bandwidth(y=samples, sr=rate, **frames),
            librosa.feature.spectral_rolloff(y=samples, sr=rate, **frames),
            pitch(samples, rate, chosen.pitch)[None],
        ]
        functionals = [f(part, axis=1) for part in described for f in STATISTICS]
        with tempfile.TemporaryFile() as kept:
            np.savez(kept, logmel=logmel, functionals=np.concatenate(functionals))


def pitch(samples: np.ndarray, rate: int, method: str) -> np.ndarray:
    """By either of librosa's estimators; float `[frames]`."""
    import librosa

    if method == "yin":
        return librosa.yin(samples, fmin=60, fmax=500, sr=rate, hop_length=HOP)
    found = librosa.pyin(samples, fmin=60, fmax=500, sr=rate, hop_length=HOP)
    return np.nan_to_num(found[0])


if __name__ == "__main__":
    main()
