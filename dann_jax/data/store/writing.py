"""Writing a corpus as a TensorFlow dataset; `layout.py` says what it looks like."""

import contextlib
import functools
import importlib.util
import io
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.corpus import Corpus, CorpusError, check
from dann_jax.data.frames import Frames
from dann_jax.data.store.arrays import open_arrays, save_arrays, shape_of, vectors
from dann_jax.data.store.folders import claimed, staging_folder, take_place
from dann_jax.data.store.layout import (
    LAYOUT_VERSION,
    SPLIT,
    dataset_name,
    metadata_of,
    store_folder,
    tensorflow_datasets,
)
from dann_jax.utils.checksums import write_checksums
from dann_jax.utils.files import named_errors

Example = dict[str, Any]
Shard = Callable[[], Iterator[tuple[int, Example]]]


def write_store(
    corpus: Corpus,
    data_dir: epath.PathLike,
    *,
    notes: Mapping[str, str] | None = None,
    file_format: str | None = None,
    runner: str | None = None,
) -> epath.Path:
    """Write a corpus under `data_dir`, whole or not at all.

    It is written into a folder beside and renamed at the end, so that a run that is
    killed leaves nothing that looks like a store, and what it does leave is removed by
    the next one. Features may be memory-mapped: what is in memory is one dialogue.
    `checksums.txt` holds a digest of every file.

    Args:
      corpus: what to store; features are stored as float32, those that are float16 as
        they are.
      data_dir: where TFDS datasets are kept; local or `gs://`.
      notes: text files to lay beside the records, name -> content.
      file_format: any that TFDS writes, such as `array_record`; `tfrecord` by default.
      runner: of Apache Beam, such as `DirectRunner`, which then writes the shards; its
        workers must see `data_dir`. Without one they are written one after the other.

    Returns:
      The folder of this store, `DATA_DIR/NAME/LAYOUT_VERSION`, for `read_store`.

    Raises:
      CorpusError: the corpus is not sound, its provenance is not JSON, there is a
        store of that name already, another process is writing one, or Apache Beam is
        not installed.
    """
    check(corpus)
    with claimed(corpus.name, data_dir):
        store = store_folder(corpus.name, data_dir)
        if store.exists():
            raise CorpusError(
                f"{store} exists; delete it, or choose another data_dir for corpus "
                f"{corpus.name!r}"
            )
        return write_claimed(
            corpus, data_dir, notes=notes, file_format=file_format, runner=runner
        )


def write_claimed(
    corpus: Corpus,
    data_dir: epath.PathLike,
    *,
    notes: Mapping[str, str] | None = None,
    file_format: str | None = None,
    runner: str | None = None,
) -> epath.Path:
    """`write_store` for a caller that already holds the lock of the name (`claimed`).

    The corpus is one that `check` has passed. A store that is there is replaced once
    the new one is complete.
    """
    beside = staging_folder(corpus.name, data_dir)
    builder = _builder_class(corpus, metadata_of(corpus), notes or {})(
        data_dir=beside, file_format=file_format
    )
    try:
        with named_errors(beside):
            _build(builder, corpus, beside, runner)
            write_checksums(builder.data_path)
            store = store_folder(corpus.name, data_dir)
            take_place(builder.data_path, store, beside)
    finally:
        if beside.exists():
            beside.rmtree()
    return store


def _build(
    builder: Any, corpus: Corpus, beside: epath.Path, runner: str | None
) -> None:
    builder.source = lambda: corpus
    options = tensorflow_datasets().download.DownloadConfig(beam_runner=runner)
    if runner:
        require_beam()
        # Its workers are other processes, maybe on other machines.
        folder = beside / "arrays"
        save_arrays(folder, corpus)
        builder.source = functools.partial(open_arrays, str(folder))
    with contextlib.ExitStack() as scratch:
        # Nothing is downloaded, but TFDS would say so, and make a folder for it.
        scratch.enter_context(contextlib.redirect_stdout(io.StringIO()))
        unused = scratch.enter_context(tempfile.TemporaryDirectory())
        builder.download_and_prepare(download_dir=unused, download_config=options)


def _builder_class(
    corpus: Corpus, metadata: dict[str, Any], notes: Mapping[str, str]
) -> Any:
    """The TFDS builder of this corpus; a class of its own, as its features are."""
    tfds = tensorflow_datasets()
    spec = _spec(corpus, metadata)

    class Info(tfds.core.DatasetInfo):
        def initialize_from_bucket(self) -> None:
            """Skip the bucket of TFDS: it has no such data set."""

    # Shard by shard, because the other kind of builder buffers a gigabyte to shuffle.
    class StoreBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):
        name = dataset_name(corpus.name)
        VERSION = tfds.core.Version(LAYOUT_VERSION)
        source: Callable[[], Corpus]

        def _info(self) -> Any:
            return Info(
                builder=self,
                description=f"Features of {corpus.name}, one example a dialogue.",
                features=tfds.features.FeaturesDict(spec),
                metadata=tfds.core.MetadataDict(metadata),
                disable_shuffling=True,
            )

        def _shard_iterators_per_split(self, dl_manager: Any) -> dict[str, list[Shard]]:
            del dl_manager
            for name, text in notes.items():
                (self.data_path / name).write_text(text)
            return {SPLIT: _shards(corpus, self.source)}

        def _example_writer(self) -> Any:
            return _SortedWriter(super()._example_writer())

    return StoreBuilder


class _SortedWriter(NamedTuple):
    """A TFDS writer of records with sorted fields: equal stores are equal bytes.

    A protocol buffer orders the fields of a map anew in every process.
    """

    writer: Any

    def write(self, path: epath.Path, examples: Iterable[tuple[Any, bytes]]) -> Any:
        import tensorflow as tf

        def in_order(record: bytes) -> bytes:
            parsed = tf.train.Example.FromString(record)
            return parsed.SerializeToString(deterministic=True)

        return self.writer.write(path, ((key, in_order(r)) for key, r in examples))


def _spec(corpus: Corpus, metadata: dict[str, Any]) -> dict[str, Any]:
    """The TFDS features of an example."""
    tensor = tensorflow_datasets().features.Tensor
    text, flags, whole = (
        tensor(shape=(None,), dtype=dtype) for dtype in (np.str_, np.bool_, np.int64)
    )
    return {
        "dialogue": tensorflow_datasets().features.Text(),
        "row": whole,
        "columns": dict.fromkeys(corpus.columns, text),
        "features": {
            # As bytes: a list of floats takes twenty times as long to encode.
            name: tensor(
                shape=(None, dim),
                dtype=np.dtype(metadata["dtypes"][name]),
                encoding="bytes",
            )
            for name, dim in metadata["dims"].items()
        },
        # TFDS does not store an empty dictionary.
        **(
            {"lengths": dict.fromkeys(metadata["framewise"], whole)}
            if metadata["framewise"]
            else {}
        ),
        "present": dict.fromkeys(corpus.present, flags),
    }


def _shards(corpus: Corpus, source: Callable[[], Corpus]) -> list[Shard]:
    """Shards, as many as TFDS would make, with equally many dialogues in each."""
    shapes = map(shape_of, corpus.features.values())
    size = sum(4 * shape.dim * int(shape.lengths.sum()) for shape in shapes)
    dialogues = len(corpus.dialogues())
    sharding = tensorflow_datasets().core.utils.shard_utils
    count = sharding.ShardConfig.calculate_number_shards(size, dialogues)
    stops = sharding.get_shard_boundaries(dialogues, count)
    return [
        functools.partial(_examples, source, start, stop)
        for start, stop in itertools.pairwise([0, *stops])
    ]


def _examples(
    source: Callable[[], Corpus], start: int, stop: int
) -> Iterator[tuple[int, Example]]:
    corpus = source()
    for key, rows in enumerate(corpus.dialogues()[start:stop], start):
        example = _example(corpus, rows)
        yield key, example
        # TFDS holds on to a shard's examples to count them; this one is written.
        example.clear()


def _example(corpus: Corpus, rows: np.ndarray) -> Example:
    titles = corpus.columns.get("dialogue", corpus.columns["utt_id"])
    features = corpus.features.items()
    lengths = {name: a.lengths[rows] for name, a in features if isinstance(a, Frames)}
    return {
        "dialogue": str(titles[rows[0]]),
        "row": rows,
        "columns": {
            # TFDS takes text as Python strings only.
            name: column[rows].astype(object)
            for name, column in corpus.columns.items()
        },
        "features": {name: vectors(array, rows) for name, array in features},
        **({"lengths": lengths} if lengths else {}),
        "present": {name: flags[rows] for name, flags in corpus.present.items()},
    }


def require_beam() -> None:
    """Raise `CorpusError` where no runner can run."""
    if not importlib.util.find_spec("apache_beam"):
        raise CorpusError(
            "a runner needs Apache Beam: pip install 'dann_jax[beam]', or leave the "
            "runner out"
        )
