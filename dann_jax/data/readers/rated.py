"""A table of recordings that several raters have labelled."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from etils import epath

from dann_jax.data.harmonise import describe_unknown, harmonise, plain, unknown_words
from dann_jax.data.identifiers import spelled
from dann_jax.data.raters import (
    DIVIDERS,
    VOTES,
    column_of_votes,
    mapped_votes,
    most_voted,
    read_votes,
)
from dann_jax.utils.words import shorten

_log = logging.getLogger(__name__)


def with_votes(
    columns: Mapping[str, np.ndarray],
    names: Sequence[str],
    mapping: Mapping[str, str],
    where: epath.PathLike,
) -> dict[str, np.ndarray]:
    """The table with the column `raters.VOTES`, in the words of the map.

    Where it has no emotions but those of raters, the one named most often becomes the
    hard label; a tie has none. The log counts ties, and own labels that differ from it.

    Args:
      columns: column -> strings `[N]`, with `utt_id` and `emotion`.
      names: the columns of raters, as in `column_of_votes`; none for `VOTES` itself.
      mapping: of `harmonise.emotion_map`.
      where: for messages.

    Raises:
      CorpusError: as `column_of_votes`.
    """
    texts = columns.get(VOTES)
    if names:
        texts = column_of_votes(
            columns, names, lambda word: mapping.get(plain(word), ""), where
        )
    votes = mapped_votes(
        texts,
        lambda word: mapping.get(plain(word), spelled(word)),
        columns["utt_id"],
        where,
    )
    words = [word for text in votes.tolist() for word in read_votes(text)]
    if unknown := unknown_words(np.array(words, str), mapping):
        _log.warning("%s, votes: %s", where, describe_unknown(unknown, "--emotions"))
    most = np.array([most_voted(read_votes(text)) for text in votes.tolist()])
    own = harmonise(columns["emotion"], mapping)
    if "emotion" in {name.casefold() for name in names} or not (own != "").any():
        emotion = most
        tied = int(((votes != "") & (most == "")).sum())
        _log.info(
            "%s: of %d rows with votes %d have no emotion that is named most often, "
            "and so no label",
            *(where, (votes != "").sum(), tied),
        )
    else:
        emotion = columns["emotion"]
        differ = (votes != "") & (own != "") & (own != most)
        _log.info(
            "%s: labels are those of the column emotion; in %d of %d rows with votes "
            "it is not what most raters say%s",
            *(where, differ.sum(), (votes != "").sum(), _examples(own, most, differ)),
        )
    return {**columns, VOTES: votes, "emotion": emotion}


def warn_of_several(
    words: Iterable[str], mapping: Mapping[str, str], where: epath.PathLike
) -> None:
    """Warn of emotion words that are several known ones, such as `anger;sadness`."""
    for word in words:
        parts = [part for part in re.split(DIVIDERS, word) if plain(part) in mapping]
        if len(parts) > 1:
            _log.warning(
                "%s: %r is several emotions; if they are what raters said: "
                "--raters=emotion",
                *(where, shorten(word)),
            )
            return


def _examples(own: np.ndarray, most: np.ndarray, rows: np.ndarray) -> str:
    pairs = Counter(zip(own[rows].tolist(), most[rows].tolist(), strict=True))
    if not pairs:
        return ""
    (label, voted), times = pairs.most_common(1)[0]
    return f", such as {label} for {voted or 'a tie'} ({times})"
