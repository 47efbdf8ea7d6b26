"""What an analysis can be asked for. It is checked before anything is trained."""

from collections.abc import Sequence

import numpy as np

from dann_jax.evaluation.maps import require_map
from dann_jax.tasks.task import Task
from dann_jax.utils.arguments import Count, CountOrNone

COLUMNS = ("speaker", "corpus", "language", "gender", "emotion")
"""What an encoder may give away, and what it is for."""


def require_analysis(
    task: Task,
    *,
    columns: Sequence[str] = (),
    rows: CountOrNone = 600,
    replicas: Count = 2,
    maps: Sequence[str] = (),
) -> None:
    """Refuse what `analyse` could not do, before anything is trained.

    Args:
      task: of the run.
      columns: as in `analyse`.
      rows: as in `analyse`; any will do.
      replicas: as in `analyse`; any will do.
      maps: as in `analyse`.

    Raises:
      ValueError: a column that the corpus does not have, or an unknown map.
    """
    del rows, replicas
    probed_columns(task, columns)
    for word in maps:
        require_map(word)


def probed_columns(
    task: Task, columns: Sequence[str]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Column -> its values `[N]`, and what is left out of those that were asked for.

    The emotion is what the protocol tells apart, whatever its column is called; other
    labels are empty, and take no part.

    Raises:
      CorpusError: the corpus has no such column.
    """
    protocol, probed, left_out = task.protocol, {}, []
    for name in columns or COLUMNS:
        if name == "emotion" and protocol.kind == "classification":
            names = np.array([*protocol.labels, ""])
            values = names[protocol.label]
        elif columns or name in task.corpus.columns:
            values = task.corpus.column(name)
        else:
            values = np.zeros(0, str)
        if len(np.unique(values[values != ""])) > 1:
            probed[name] = values
        else:
            left_out.append(f"probes for {name}: there are not two values of it")
    return probed, left_out
