"""The table of recordings that a store is made of, from one corpus or several."""

import logging
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from etils import epath

from dann_jax.data.features.items import Columns
from dann_jax.data.own_table import overview, write_table
from dann_jax.data.readers.catalogue import (
    AS_IT_COMES,
    FOLDERS,
    Reading,
    read_audio_corpus,
)

_log = logging.getLogger(__name__)


class Given(NamedTuple):
    """What a user gave to be read.

    Attributes:
      sources: name of a corpus -> folder.
      layouts: name of a corpus -> its layout, where the name is another one.
      emotions: a map of the user's own from words to emotions.
      reading: of the layouts `manifest` and `folders`.
    """

    sources: Mapping[str, epath.PathLike]
    layouts: Mapping[str, str] = {}
    emotions: epath.PathLike | None = None
    reading: Reading = AS_IT_COMES


def read_table(given: Given, name: str, data_dir: epath.PathLike) -> Columns:
    """Read one table of all corpora, with their names before ids if they are several.

    What was not a finished table is shown, and of a folder a manifest is written.

    Args:
      given: what to read.
      name: of the store.
      data_dir: where a manifest is written.

    Returns:
      Column -> string array `[N]`.

    Raises:
      CorpusError: as `read_audio_corpus` and `write_table`.
    """
    tables = {}
    for corpus, source in given.sources.items():
        layout = given.layouts.get(corpus, corpus)
        table = read_audio_corpus(layout, source, given.emotions, given.reading)
        if layout == FOLDERS or given.reading != AS_IT_COMES:
            _log.info("%s\n%s", source, overview(table))
        if layout == FOLDERS:
            stem = name if len(given.sources) == 1 else f"{name}.{corpus}"
            path = epath.Path(data_dir) / f"{stem}.manifest.csv"
            write_table(path, table, source)
        tables[corpus] = table
    return _joined(tables)


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
    names = dict.fromkeys(name for table in tables.values() for name in table)
    return {
        name: np.concatenate(
            [t.get(name, np.full(len(t["utt_id"]), "")) for t in tables.values()]
        )
        for name in names
    }
