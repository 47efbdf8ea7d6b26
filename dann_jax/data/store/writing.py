"""Writing a corpus as a TensorFlow dataset; `layout.py` says what it looks like."""

import contextlib
import functools
import io
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from etils import epath

from dann_jax.data.beam import BeamRunner, run_by
from dann_jax.data.corpus import Corpus, CorpusError, check
from dann_jax.data.store.arrays import open_arrays, save_arrays
from dann_jax.data.store.examples import examples, shard_boundaries, spec_of
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


def write_store(
    corpus: Corpus,
    data_dir: epath.PathLike,
    *,
    notes: Mapping[str, str] | None = None,
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
            *(corpus, data_dir),
            notes=notes,
            beam=BeamRunner(runner) if runner else None,
        )


def write_claimed(
    corpus: Corpus,
    data_dir: epath.PathLike,
    *,
    notes: Mapping[str, str] | None = None,
    beam: BeamRunner | None = None,
) -> epath.Path:
    """`write_store` for a caller that already holds the lock of the name (`claimed`).

    The corpus is one that `check` has passed. A store that is there is replaced once
    the new one is complete.
    """
    beside = staging_folder(corpus.name, data_dir)
    builder = _builder_class(corpus, metadata_of(corpus), notes or {})(data_dir=beside)
    try:
        with named_errors(beside):
            _build(builder, corpus, beside, beam)
            write_checksums(builder.data_path)
            store = store_folder(corpus.name, data_dir)
            take_place(builder.data_path, store, beside)
    finally:
        if beside.exists():
            beside.rmtree()
    return store


def _build(
    builder: Any, corpus: Corpus, beside: epath.Path, beam: BeamRunner | None
) -> None:
    builder.source = lambda: corpus
    config = tensorflow_datasets().download.DownloadConfig()
    if beam:
        config.beam_runner = beam.name
        config.beam_options = beam.pipeline_options()
        # Its workers are other processes, maybe on other machines.
        folder = beside / "arrays"
        save_arrays(folder, corpus)
        builder.source = functools.partial(open_arrays, str(folder))
    with contextlib.ExitStack() as scratch:
        # Nothing is downloaded, but TFDS would say so, and make a folder for it.
        scratch.enter_context(contextlib.redirect_stdout(io.StringIO()))
        unused = scratch.enter_context(tempfile.TemporaryDirectory())
        if beam:
            scratch.enter_context(run_by(beam))
        builder.download_and_prepare(download_dir=unused, download_config=config)
    if beam:
        _as_without_beam(builder, corpus)


def _as_without_beam(builder: Any, corpus: Corpus) -> None:
    """Undo what TFDS does otherwise where Beam writes the shards."""
    for path in builder.data_path.glob("*.shard_infos.json"):
        path.unlink()
    # It sorts the shards by their numbers as text: 10 comes before 2.
    lengths = [stop - start for start, stop in shard_boundaries(corpus)]
    (split,) = builder.info.splits.values()
    split = split.replace(shard_lengths=lengths)
    builder.info.set_splits(tensorflow_datasets().core.splits.SplitDict([split]))
    builder.info.write_to_directory(builder.data_path)


def _builder_class(
    corpus: Corpus, metadata: dict[str, Any], notes: Mapping[str, str]
) -> Any:
    """The TFDS builder of this corpus; a class of its own, as its features are."""
    tfds = tensorflow_datasets()
    spec = spec_of(corpus, metadata)

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

        def _shard_iterators_per_split(self, dl_manager: Any) -> dict[str, list]:
            del dl_manager
            for name, text in notes.items():
                (self.data_path / name).write_text(text)
            return {
                SPLIT: [
                    functools.partial(examples, self.source, start, stop)
                    for start, stop in shard_boundaries(corpus)
                ]
            }

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
