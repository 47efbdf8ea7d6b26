"""Tables of documents, written from the JSON that studies leave.

    python -m benchmarks.studies.pages

A document has a table between the lines `<!-- table: NAME -->` and `<!-- end -->`;
`TABLES` says what NAME is made of. Nobody edits these lines by hand: a test fails where
a document says something else than its JSON.
"""

import pathlib
import re
from collections.abc import Callable, Mapping

from benchmarks import leak_tables
from benchmarks.emobox import table_of_emobox
from benchmarks.peers import tables as peers
from benchmarks.selection_tables import table_of_criteria
from benchmarks.studies import adversary_tables
from benchmarks.studies.systems import (
    SYSTEMS,
    table_of_folds,
    table_of_labelled_rows,
    table_of_metrics,
    table_of_run,
    table_of_systems,
)
from dann_jax.utils.files import read_json, write_whole

DOCS = pathlib.Path(__file__).parents[2] / "docs"
ADVERSARY, PEERS = DOCS / "study.json", DOCS / "peers.json"
LEAKS, SELECTION = DOCS / "leaks.json", DOCS / "selection.json"
TABLES: Mapping[str, tuple[pathlib.Path, Callable[[Mapping], str]]] = {
    "gains": (ADVERSARY, adversary_tables.table_of_gains),
    "contrasts": (ADVERSARY, adversary_tables.table_of_contrasts),
    "probes": (ADVERSARY, adversary_tables.table_of_probes),
    "relations": (ADVERSARY, adversary_tables.table_of_relations),
    "peers_arms": (PEERS, peers.table_of_arms),
    "peers_contrasts": (PEERS, peers.table_of_contrasts),
    "peers_settings": (PEERS, peers.table_of_settings),
    "emobox": (DOCS / "emobox.json", table_of_emobox),
    "systems": (SYSTEMS, table_of_systems),
    "zhou2018": (SYSTEMS, table_of_labelled_rows),
    "leak_runs": (LEAKS, leak_tables.table_of_runs),
    "leak_worths": (LEAKS, leak_tables.table_of_worths),
    "leak_gains": (LEAKS, leak_tables.table_of_gains),
    "selection": (SELECTION, table_of_criteria),
}
"""Name of a table -> the JSON it is made of, and how."""
DOCUMENTS = tuple(
    path
    for path in sorted(DOCS.rglob("*.md"))
    if "<!-- table: " in path.read_text(encoding="utf-8")
)
_PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, tables: Mapping[str, str]) -> str:
    r"""A document with its tables as they should be.

    Args:
      text: of the document.
      tables: name -> table in Markdown.

    Raises:
      ValueError: there is no table of a name.

    Example:
      >>> filled("<!-- table: a -->\nold\n<!-- end -->", {"a": "new"})
      '<!-- table: a -->\nnew\n<!-- end -->'
    """

    def own(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        if name not in tables:
            raise ValueError(f"no table {name!r}; there are {', '.join(tables)}")
        return f"{begin}{tables[name]}\n{end}"

    return _PLACE.sub(own, text)


def all_tables() -> dict[str, str]:
    """Every table, from its JSON.

    A run of the systems has a table of its own name, and those of `NAME-metrics` and
    `NAME-folds`.
    """
    named = {name: write(read_json(path)) for name, (path, write) in TABLES.items()}
    runs = read_json(SYSTEMS)
    for run, own in runs.items():
        named[run] = table_of_run(own)
        named[f"{run}-metrics"] = table_of_metrics(own)
        if "by_fold" in own:
            named[f"{run}-folds"] = table_of_folds(own)
    return named


def main() -> None:
    """Write the tables into the documents."""
    tables = all_tables()
    for document in DOCUMENTS:
        write_whole(document, filled(document.read_text(encoding="utf-8"), tables))


if __name__ == "__main__":
    main()
