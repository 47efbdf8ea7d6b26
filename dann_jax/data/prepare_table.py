"""The table of recordings that a store is made of, from one corpus or several."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.audformat_tables import read_database
from dann_jax.data.features.items import Columns
from dann_jax.data.own_table import overview, write_once, write_table
from dann_jax.data.parquet import unpack_parquet
from dann_jax.data.readers.catalogue import (
    AS_IT_COMES,
    AUDFORMAT,
    FOLDERS,
    MANIFEST,
    PARQUET,
    Reading,
    read_audio_corpus,
)
from dann_jax.data.stacked import stack_columns

_log = logging.getLogger(__name__)


class Given(NamedTuple):
    """What a user gave to be read.

    Attributes:
      sources: name of a corpus -> folder.
      layouts: name of a corpus -> its layout, where the name is another one: one of
        `LAYOUTS`, `parquet` or `audformat`.
      emotions: a map of the user's own from words to emotions.
      reading: of the layouts `manifest` and `folders`.
    """

    sources: Mapping[str, epath.PathLike]
    layouts: Mapping[str, str] = {}
    emotions: epath.PathLike | None = None
    reading: Reading = AS_IT_COMES


class Table(NamedTuple):
    """The table of a store.

    Attributes:
      columns: column -> string array `[N]`.
      sources: name of a corpus -> what it was read from: a folder or a manifest.
    """

    columns: Columns
    sources: Mapping[str, epath.PathLike]

    def roots(self) -> dict[str, epath.Path]:
        """Name of a corpus -> the folder that its files are relative to."""
        paths = {corpus: epath.Path(source) for corpus, source in self.sources.items()}
        return {c: path if path.is_dir() else path.parent for c, path in paths.items()}


def read_table(given: Given, name: str, data_dir: epath.PathLike) -> Table:
    """Read one table of all corpora, with their names before ids if they are several.

    What was not a finished table is shown. Of a folder or a database a manifest is
    written beside the store, `NAME.manifest.csv`; what parquet files hold is unpacked
    there, `NAME.sound`.

    Args:
      given: what to read.
      name: of the store.
      data_dir: where stores are kept.

    Raises:
      CorpusError: as `read_audio_corpus`, `write_table`, `unpack_parquet` and
        `read_database`.
    """
    tables, sources = {}, dict(given.sources)
    for corpus, source in given.sources.items():
        layout = given.layouts.get(corpus, corpus)
        stem = name if len(given.sources) == 1 else f"{name}.{corpus}"
        if layout == PARQUET:
            source = unpack_parquet(source, epath.Path(data_dir) / f"{stem}.sound")
            sources[corpus], layout = source, MANIFEST
        reading, manifest = given.reading, epath.Path(data_dir) / f"{stem}.manifest.csv"
        if layout == AUDFORMAT:
            again = f"--corpus=manifest --source={source} --table={manifest}"
            columns = read_database(source, reading.columns)
            write_once(manifest, columns, source, again)
            reading, layout = reading._replace(table=manifest, columns={}), MANIFEST
        table = read_audio_corpus(layout, source, given.emotions, reading)
        if layout == FOLDERS or reading != AS_IT_COMES:
            _log.info("%s\n%s", source, overview(table))
        if layout == FOLDERS:
            write_table(manifest, table, source)
        tables[corpus] = table
    return Table(_joined(tables), sources)


def _joined(tables: Mapping[str, Columns]) -> Columns:
    """One table of those of several corpora, whose names go before their ids."""
    if len(tables) == 1:
        return next(iter(tables.values()))
    tables = {corpus: dict(table) for corpus, table in tables.items()}
    for corpus, table in tables.items():
        for name in {"utt_id", "speaker", "dialogue"} & set(table):
            # An empty value means unknown, and stays empty.
            known = [f"{corpus}:{text}" if text else "" for text in table[name]]
            table[name] = np.array(known)
        table["corpus"] = np.full(len(table["utt_id"]), corpus)
    return stack_columns([*tables.values()])
