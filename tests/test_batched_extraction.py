"""Extraction with features that this process computes in batches."""

import json
import logging
import pathlib
from collections.abc import Sequence

import numpy as np
import pytest
import soundfile
from commands import call as call
from damaged_recordings import RATE, columns_of, voice, write_voice
from pretrained_models import FIXTURES

from dann_jax.cli import prepare as prepare_command
from dann_jax.data.features import batched_extraction
from dann_jax.data.features.catalogue import make_extractor
from dann_jax.data.features.extraction import extract
from dann_jax.data.features.extractor import Extractor
from dann_jax.data.prepare import prepare
from dann_jax.data.store import read_store
from dann_jax.utils import progress

CALLS: list[int] = []
"""How many utterances each batch had."""


def moments(samples: np.ndarray) -> np.ndarray:
    return np.array([samples.mean(), samples.std(), len(samples)])


def blocks(samples: np.ndarray) -> np.ndarray:
    peak = round(float(np.abs(samples).max()), 2)
    if peak == 0.93:
        raise RuntimeError("a fault\nof the encoder")
    made = samples[: len(samples) // 800 * 800].reshape(-1, 800)[:, :2]
    return made * np.nan if peak == 0.94 else made[:, :1] if peak == 0.95 else made


BATCHES_LEFT: list[int] = []
"""Where there are any, so many batches until Ctrl-C."""


def together(recordings: Sequence[np.ndarray]) -> list[np.ndarray]:
    if BATCHES_LEFT and BATCHES_LEFT.pop() and not BATCHES_LEFT:
        raise KeyboardInterrupt
    CALLS.append(len(recordings))
    return [blocks(samples) for samples in recordings]


def make(name: str) -> Extractor:
    """For workers this module is another: what they call leaves nothing in `CALLS`."""
    if name == "moments":
        return Extractor("moments", 1, {}, 3, False, moments)
    return Extractor("blocks", 1, {}, 2, True, blocks, compute_batch=together)


FEATURES = {"blocks": {}, "moments": {}}


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


@pytest.fixture
def recordings(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "corpus"
    for number in range(9):
        write_voice(root / f"{number}.wav", 0.3 + 0.1 * (number % 4), seed=number)
    return root


def names(root: pathlib.Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def peak(path: pathlib.Path, height: float) -> None:
    samples = voice(0.5, 0)
    samples[7] = height
    soundfile.write(path, samples, RATE)


def assert_computed(corpus, root: pathlib.Path, files: Sequence[str]) -> None:
    assert corpus.columns["file"].tolist() == list(files)
    for row, file in enumerate(files):
        samples, _ = soundfile.read(root / file, dtype="float32")
        expected = np.float32(blocks(samples))
        np.testing.assert_array_equal(corpus.features["blocks"].row(row), expected)
        expected = np.float32(moments(samples))
        np.testing.assert_array_equal(corpus.features["moments"][row], expected)


def test_features_of_both_kinds_stand_in_one_corpus(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    files = names(recordings)[::-1]
    corpus, problems = extract(
        *(columns_of(files), recordings, FEATURES, tmp_path / "work"),
        name="c",
        make=make,
        workers=2,
    )
    assert problems == []
    assert_computed(corpus, recordings, files)
    # All of them at once, whatever workers decoded at a time.
    assert CALLS == [9]
    assert not (tmp_path / "work" / "decoded").exists()
    assert corpus.provenance["features"]["blocks"] == make("blocks").provenance()


def test_who_cannot_be_encoded_is_left_out_alone(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    good = names(recordings)
    for number in range(3):
        peak(recordings / f"bad{number}.wav", 0.93 + 0.01 * number)
    write_voice(recordings / "bad3.wav", 0.04, seed=0)
    (recordings / "bad4.wav").write_bytes(b"RIFF")
    files = names(recordings)
    corpus, problems = extract(
        *(columns_of(files), recordings, FEATURES, tmp_path / "work"),
        name="c",
        make=make,
        workers=2,
    )
    errors = {p.file: p.reason for p in problems if p.severity == "error"}
    assert "not audio" in errors.pop("bad4.wav")
    assert errors == {
        "bad0.wav": "RuntimeError: a fault of the encoder",
        "bad1.wav": "blocks is not finite",
        "bad2.wav": "blocks has shape (10, 1), its dim is 2",
        "bad3.wav": "too short for one frame of blocks",
    }
    assert_computed(corpus, recordings, good)


def test_where_nothing_can_be_decoded_every_reason_is_told(
    tmp_path: pathlib.Path,
) -> None:
    root = tmp_path / "corpus"
    root.mkdir()
    for number in range(3):
        (root / f"{number}.wav").write_bytes(b"")
    with pytest.raises(ValueError, match=r"3 of 3 utterances cannot be used.*empty"):
        extract(
            *(columns_of(names(root)), root, FEATURES, tmp_path / "work"),
            name="c",
            make=make,
        )


def test_interrupted_it_goes_on_with_what_was_encoded(
    recordings: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = names(recordings)
    given = (columns_of(files), recordings, FEATURES, tmp_path / "work")
    monkeypatch.setattr(batched_extraction, "_SECONDS_ON_CPU", 0.5)
    BATCHES_LEFT.extend([1, 1, 1])
    with pytest.raises(KeyboardInterrupt):
        extract(*given, name="c", make=make, workers=1)
    done = sum(CALLS)
    assert 0 < done < len(files)
    CALLS.clear()
    corpus, problems = extract(*given, name="c", make=make, workers=1)
    assert (problems, sum(CALLS)) == ([], len(files) - done)
    assert_computed(corpus, recordings, files)


def test_whoever_waits_is_told_before_the_end(
    recordings: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = names(recordings)
    monkeypatch.setattr(batched_extraction, "_SECONDS_ON_CPU", 0.5)
    monkeypatch.setattr(progress, "PARTS", 1000)
    caplog.set_level(logging.INFO, "dann_jax")
    given = (columns_of(files), recordings, FEATURES, tmp_path / "work")
    extract(*given, name="c", make=make, workers=1)
    told = [line for line in caplog.messages if line.startswith("features: ")]
    assert len(told) > 2
    assert f"of {len(files)} utterances" in told[0] and "100 %" not in told[0]


FLAGS = ("--features=pretrained,functionals", f"--pretrained.model={FIXTURES}/whisper")


def write_manifest(root: pathlib.Path) -> None:
    rows = [f"{name},s{n % 3},anger" for n, name in enumerate(names(root))]
    (root / "manifest.csv").write_text("\n".join(["file,speaker,emotion", *rows]))


@pytest.mark.slow
def test_the_command_makes_a_store_that_is_found_again(
    recordings: pathlib.Path, tmp_path: pathlib.Path, call
) -> None:
    files = names(recordings)
    write_manifest(recordings)
    words = ("--corpus=manifest", f"--source={recordings}", f"--data_dir={tmp_path}/d")
    options = ("--pretrained.layers=2,0", "--pretrained.pooling=frames")
    ended = call(prepare_command, *words, *FLAGS, *options)
    assert ended.code == 0, ended.err
    corpus = read_store(tmp_path / "d" / "manifest" / "2.0.0")
    extractor = make_extractor(
        "pretrained", model=FIXTURES / "whisper", layers=[2, 0], pooling="frames"
    )
    said = json.loads(json.dumps(corpus.provenance["features"]))
    assert said["pretrained"] == extractor.provenance()
    for row, file in enumerate(files):
        samples, _ = soundfile.read(recordings / file, dtype="float32")
        np.testing.assert_allclose(
            corpus.features["pretrained"].row(row),
            extractor.compute(samples),
            # Frames are stored as float16.
            rtol=2**-11,
            atol=1e-5,
        )
    again = call(prepare_command, *words, *FLAGS, *options)
    assert "is there already" in again.out
    other = call(prepare_command, *words, *FLAGS, "--pretrained.layers=1")
    assert "layers (expected [2, 0], found [1])" in other.err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--logmel.n_mels=3",), "--logmel.n_mels is of features that --features does"),
        (("--pretrained.layers=1", "--pretrained.layers=2"), "layers is given twice"),
        (
            ("--pretrained.layers=1", '--feature_args={"pretrained": {"layers": 1}}'),
            "--pretrained.layers and --feature_args both set layers",
        ),
        (("--pretrained.layer=1",), "pretrained has no parameter layer; it has model"),
        (("--pretrained.layers=9",), "numbered 0 to 2"),
        (("--functionals.hop=fast",), "functionals"),
    ],
)
def test_a_parameter_that_makes_no_sense_costs_one_line(
    recordings: pathlib.Path, tmp_path: pathlib.Path, call, flags, message: str
) -> None:
    write_manifest(recordings)
    words = ("--corpus=manifest", f"--source={recordings}", f"--data_dir={tmp_path}/d")
    ended = call(prepare_command, *words, *FLAGS, *flags)
    assert ended.code == 1
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_a_store_by_another_copy_of_the_model_is_the_same(
    recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    import shutil

    write_manifest(recordings)
    shutil.copytree(FIXTURES / "whisper", tmp_path / "copy")
    given = {"data_dir": tmp_path / "d", "name": "c"}
    for model in (FIXTURES / "whisper", tmp_path / "copy"):
        features = {"pretrained": {"model": str(model)}}
        said = prepare({"manifest": recordings}, features=features, **given)
    assert "is there already" in said
