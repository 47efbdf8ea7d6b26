"""Flags of `dann-prepare` for tables and folders of one's own."""

from typing import TYPE_CHECKING

from absl import app, flags

if TYPE_CHECKING:
    from dann_jax.data.readers.catalogue import Reading

# Its flags are those of the command that makes them.
flags.disclaim_key_flags()


class TableFlags:
    """The flags `table`, `columns`, `raters`, `emotion` and `speaker` of a command."""

    def __init__(self, command_flags: flags.FlagValues) -> None:
        self._table = flags.DEFINE_string(
            "table",
            None,
            "Of --corpus=manifest: the table (CSV, JSON lines, Excel), where it does "
            "not lie in --source, which its files are relative to.",
            flag_values=command_flags,
        )
        self._columns = flags.DEFINE_list(
            "columns",
            [],
            "Of --corpus=manifest: other names of its columns, such as "
            "path:file,label:emotion,spk:speaker.",
            flag_values=command_flags,
        )
        self._raters = flags.DEFINE_list(
            "raters",
            [],
            "Of --corpus=manifest: the columns of several raters: words, a rater each "
            "(r1,r2,r3) or all in one (anger;anger;sadness); or numbers, a column an "
            "emotion (anger,happiness,neutral).",
            flag_values=command_flags,
        )
        self._emotion = flags.DEFINE_string(
            "emotion",
            None,
            "Of --corpus=folders: a regular expression (where --emotions is a table of "
            "words) that finds the word for the "
            "emotion in the name of a file or else in its path below --source, by its "
            "first group. Unset, folders named by emotions, or such a word in the "
            "names of files.",
            flag_values=command_flags,
        )
        self._speaker = flags.DEFINE_string(
            "speaker",
            None,
            "Likewise of the speaker, such as '(spk\\d+)'. Unset, folders named as "
            "spk01 or Actor_03 are; empty where nothing names the speaker.",
            flag_values=command_flags,
        )

    def reading(self, layouts: set[str]) -> "Reading":
        """How tables and folders are read.

        Args:
          layouts: of the corpora of the command.

        Raises:
          UsageError: a flag is for another layout, or is no list of names.
        """
        from dann_jax.data.readers.catalogue import (
            AUDFORMAT,
            FOLDERS,
            MANIFEST,
            PARQUET,
            Reading,
        )

        belongs = (
            (self._table, (MANIFEST,)),
            (self._columns, (MANIFEST, PARQUET, AUDFORMAT)),
            (self._raters, (MANIFEST, PARQUET)),
            (self._emotion, (FOLDERS,)),
            (self._speaker, (FOLDERS,)),
        )
        for flag, meant in belongs:
            if flag.value not in (None, []) and not layouts & {*meant}:
                raise app.UsageError(f"--{flag.name} is for --corpus={meant[0]}")
        if self._table.value and len(layouts) > 1:
            raise app.UsageError("--table is for one corpus: prepare it alone")
        return Reading(
            table=self._table.value,
            columns=_pairs(self._columns.value),
            emotion=self._emotion.value,
            speaker=self._speaker.value,
            raters=tuple(self._raters.value),
        )


def _pairs(words: list[str]) -> dict[str, str]:
    """`THEIRS:OURS` as a mapping; theirs may hold a colon."""
    pairs = {}
    for word in words:
        theirs, _, ours = word.rpartition(":")
        if not theirs or not ours:
            raise app.UsageError(
                f"--columns is a list of THEIRS:OURS, such as path:file,spk:speaker; "
                f"got {word!r}"
            )
        pairs[theirs] = ours
    return pairs
