"""Shards of a preparation: equal parts, computed by processes without each other.

Each works in a folder of its own below the working folder, `shards/1-of-3`. Whoever
makes the store moves what they computed to the other parts.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from etils import epath

from dann_jax.data.features.items import Item, deal

_FOLDER = "shards"


class Shard(NamedTuple):
    """One of several equal parts of the utterances of a corpus.

    Attributes:
      number: from 1.
      count: how many there are.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def rows(self, items: Sequence[Item]) -> list[int]:
        """Rows of this shard, about as much sound as in any other.

        Args:
          items: the utterances, row by row. Where their files change between shards,
            some may be in none; they are computed when the store is made.
        """
        return deal(items, self.count)[self.number - 1]

    def folder(self, work: epath.Path) -> epath.Path:
        """Where this shard works, below the working folder."""
        return work / _FOLDER / f"{self.number}-of-{self.count}"


def parse_shard(text: str) -> Shard:
    """Read `I/N`.

    Example:
      >>> parse_shard("1/3")
      Shard(number=1, count=3)

    Raises:
      ValueError: it is not of this form, or I is not from 1 to N.
    """
    match = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    shard = Shard(*map(int, match.groups())) if match else Shard(0, 0)
    if not 1 <= shard.number <= shard.count:
        raise ValueError(
            f"shard={text!r}: must be I/N with I from 1 to N, such as 1/3, 2/3 and 3/3"
        )
    return shard


def gather(work: epath.Path) -> None:
    """Move the parts of all shards to those of the working folder.

    They are named after their content, so that the same one twice is one.
    """
    for path in (work / _FOLDER).glob("*/parts/*.npz"):
        path.replace(work / "parts" / path.name)
    if (work / _FOLDER).exists():
        (work / _FOLDER).rmtree()
