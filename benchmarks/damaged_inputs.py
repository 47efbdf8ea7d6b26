"""Five hundred damaged files among sound ones: all are listed, none stops the work.

    python -m benchmarks.damaged_inputs --damaged=500 --sound=50

It makes the files (`tests/damaged_recordings.py`: 25 kinds of damage in three sizes,
and sound files of odd names), runs `dann-prepare`'s engine over them and counts. With
`--model=BUNDLE` the same files go through `dann-predict` as well, whole and in windows.
"""

import argparse
import pathlib
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).parents[1] / "tests"))


def main() -> None:
    """Make the files, prepare them and count."""
    from damaged_recordings import SPOIL, columns_of, mixed_folder

    from dann_jax.data.features.extraction import extract

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--damaged", type=int, default=500)
    parser.add_argument("--sound", type=int, default=50)
    parser.add_argument("--features", default="logmel")
    parser.add_argument("--model", default="", help="bundle to predict with")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        good, bad = mixed_folder(root, sound=chosen.sound, spoilt=chosen.damaged)
        started = time.perf_counter()
        corpus, problems = extract(
            columns_of([*bad, *good]),
            root,
            {name: {} for name in chosen.features.split(",")},
            root / "work",
            name="damaged",
        )
        seconds = time.perf_counter() - started
        if chosen.model:
            for window in (None, 0.5):
                count_predictions(chosen.model, root, [*bad, *good], window)
    listed = {problem.file for problem in problems if problem.severity == "error"}
    print(f"kinds of damage: {len(SPOIL)}")
    print(f"damaged files listed with a reason: {len(listed & set(bad))} of {len(bad)}")
    print(f"sound files prepared: {len(corpus)} of {len(good)}")
    print(f"sound files listed as damaged: {len(listed & set(good))}")
    print(f"seconds: {seconds:.1f}")


def count_predictions(
    model: str, root: pathlib.Path, files: list[str], window: float | None
) -> None:
    """Predict all files and count those that got a row, an error, or nothing."""
    from dann_jax.bundle import load_bundle
    from dann_jax.bundle.predictions import predict_clips
    from dann_jax.bundle.recordings import Clip, cut_into_windows

    clips = [Clip(str(root / name), name) for name in files]
    if window:
        clips = cut_into_windows(clips, window=window, hop=window)
    errors: list[str] = []
    heard = predict_clips(load_bundle(model), clips, report=errors.append)
    rows = {own.clip.name for own in heard}
    told = {name for name in files for error in errors if error.startswith(f"{name}: ")}
    print(
        f"predicted {'in windows' if window else 'whole'}: {len(rows)} rows, "
        f"{len(told)} errors, {len({*files} - rows - told)} of {len(files)} without "
        "either"
    )


if __name__ == "__main__":
    main()
