"""The speech corpora of tensorflow-datasets, as manifests of audio.

A prepared data set holds samples, not files; here they are written out once, and the
folder is then a corpus like any other (`manifest.read_audio_manifest`). TensorFlow is
imported inside functions only.

Reference: tensorflow.org/datasets/catalog/crema_d, savee and spoken_digit.
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from etils import epath

from dann_jax.data.corpus import CorpusError
from dann_jax.data.harmonise import emotion_map, harmonise
from dann_jax.data.manifest import write_manifest
from dann_jax.data.readers import crema_d
from dann_jax.data.store.layout import tensorflow_datasets
from dann_jax.utils.progress import Progress

_log = logging.getLogger(__name__)


def _crema_d(example: Mapping[str, Any]) -> dict[str, str]:
    speaker = example["speaker_id"].decode()
    return {"speaker": speaker, "gender": crema_d.gender(speaker)}


def _savee(example: Mapping[str, Any]) -> dict[str, str]:
    return {"speaker": example["speaker_id"].decode(), "gender": "m"}


def _spoken_digit(example: Mapping[str, Any]) -> dict[str, str]:
    # Such as 7_jackson_32.wav.
    digit, speaker = example["audio/filename"].decode().split("_")[:2]
    return {"speaker": speaker, "digit": digit}


DATA_SETS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    "crema_d": _crema_d,
    "savee": _savee,
    "spoken_digit": _spoken_digit,
}
"""Name -> example -> what it says of the speaker. All of them are English."""


def export_tfds(
    name: str, data_dir: epath.PathLike, folder: epath.PathLike
) -> epath.Path:
    """Write a prepared data set as FLAC files with a manifest, whole or not at all.

    Args:
      name: of the data set, in `DATA_SETS`.
      data_dir: where it was prepared: the `data_dir` of TFDS, or the folder of one
        version, such as `DATA_DIR/savee/1.0.0`. Nothing is downloaded.
      folder: to make.

    Returns:
      The folder. `manifest.csv` has the columns `utt_id`, `file`, `speaker`, `emotion`
      (harmonised), `emotion_word`, `split` (that of TFDS), `language`, `corpus`, and
      `gender` or `digit`. Files have the sample rate of the data set and 16 bits, and
      are numbered in its order, since it does not keep the names they had.

    Raises:
      CorpusError: there is no such data set, it is not prepared there, its samples do
        not fit 16 bits, or the folder exists.
    """
    if name not in DATA_SETS:
        raise CorpusError(f"no data set {name!r}; there are {', '.join(DATA_SETS)}")
    target = epath.Path(folder)
    if target.exists():
        raise CorpusError(f"{target} exists; delete it, or choose another folder")
    builder = _builder(name, epath.Path(data_dir))
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        (partial / "audio").mkdir(parents=True)
        rows = list(_write_audio(name, builder, partial))
        rows.sort(key=lambda row: row["utt_id"])
        columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
        columns["emotion"] = harmonise(columns["emotion_word"], emotion_map(name))
        write_manifest(partial / "manifest.csv", columns)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _log.info("wrote %d files of %s to %s", len(rows), name, target)
    return target


def _builder(name: str, data_dir: epath.Path) -> Any:
    versions = (data_dir, *sorted(data_dir.glob(f"{name}/*")))
    whole = [path for path in versions if (path / "dataset_info.json").exists()]
    if not whole:
        raise CorpusError(
            f"{data_dir} holds no prepared {name}; prepare it with "
            f"tensorflow_datasets.builder({name!r}, data_dir={str(data_dir)!r})"
            f".download_and_prepare()"
        )
    builder = tensorflow_datasets().builder_from_directory(whole[-1])
    if builder.name != name:
        raise CorpusError(f"{data_dir} holds {builder.name}, not {name}")
    return builder


def _write_audio(
    name: str, builder: Any, folder: epath.Path
) -> Iterator[dict[str, str]]:
    """Write the files; yield the row of each."""
    import soundfile

    audio, label = (builder.info.features[key] for key in ("audio", "label"))
    total = sum(split.num_examples for split in builder.info.splits.values())
    with Progress("audio", total=total, unit="file") as progress:
        for split in builder.info.splits:
            for index, example in enumerate(_examples(builder, split)):
                utt_id = f"{name}-{split}-{index:05d}"
                file = f"audio/{utt_id}.flac"
                samples = _int16(utt_id, example["audio"])
                soundfile.write(folder / file, samples, audio.sample_rate)
                word = label.int2str(int(example["label"]))
                yield {
                    **{"utt_id": utt_id, "file": file, "emotion_word": word},
                    **DATA_SETS[name](example),
                    **{"split": split, "language": "en", "corpus": name},
                }
                progress.update()


def _examples(builder: Any, split: str) -> Iterator[dict[str, Any]]:
    tfds = tensorflow_datasets()
    import tensorflow as tf

    try:
        yield from tfds.as_numpy(builder.as_dataset(split=split))
    except tf.errors.OpError as error:
        raise CorpusError(f"{builder.data_path} is damaged: {error.message}") from None


def _int16(utt_id: str, samples: np.ndarray) -> np.ndarray:
    # TFDS keeps whatever integers the file held and forgets how wide they were.
    limits = np.iinfo(np.int16)
    if len(samples) and (samples.min() < limits.min or samples.max() > limits.max):
        raise CorpusError(
            f"{utt_id}: samples from {samples.min()} to {samples.max()} do not fit "
            f"16 bits"
        )
    return samples.astype(np.int16)
