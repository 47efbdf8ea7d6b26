"""A finished run, as its work directory holds it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from etils import epath

from dann_jax.workdir import WorkdirError, read_json


class Run(NamedTuple):
    """What a report is made of.

    Attributes:
      name: the last part of the work directory's path.
      results: `results.json`; a number that was not measured is NaN.
      analysis: `analysis.json`; empty where there is none, as in older runs.
      epochs: `metrics.jsonl`, a mapping for each epoch; empty where there is none.
      config: `config.json`; empty where there is none.
      environment: `environment.json`; empty where there is none.
    """

    name: str
    results: Mapping[str, Any]
    analysis: Mapping[str, Any] = {}
    epochs: Sequence[Mapping[str, float]] = ()
    config: Mapping[str, Any] = {}
    environment: Mapping[str, Any] = {}

    @property
    def arms(self) -> list[str]:
        """The arms, the baseline first."""
        return list(self.results["summary"])


def read_run(workdir: epath.PathLike) -> Run:
    """Read what a finished run left.

    Raises:
      WorkdirError: it is no finished run, or one of its files is damaged.
    """
    folder = epath.Path(workdir)
    path = folder / "results.json"
    if not path.exists():
        raise WorkdirError(f"{workdir} holds no results.json: no finished run")
    results = with_nan(read_json(path))
    missing = {"system", "corpora", "protocol", "replicas", "summary"} - {*results}
    if missing:
        raise WorkdirError(f"{path} lacks {', '.join(sorted(missing))}")

    def optional(name: str) -> Mapping[str, Any]:
        return read_json(folder / name) if (folder / name).exists() else {}

    return Run(
        name=folder.resolve().name,
        results={"comparisons": [], "labels": [], **results},
        analysis=with_nan(optional("analysis.json")),
        epochs=_lines(folder / "metrics.jsonl"),
        config=optional("config.json"),
        environment=optional("environment.json"),
    )


def with_nan(value: Any) -> Any:
    """JSON's null as NaN in lists of numbers and under keys of objects, and so on down.

    Example:
      >>> with_nan({"ci95": [None, 0.5]})
      {'ci95': [nan, 0.5]}
    """
    if isinstance(value, dict):
        return {key: with_nan(own) for key, own in value.items()}
    if isinstance(value, list):
        return [with_nan(own) for own in value]
    return float("nan") if value is None else value


def _lines(path: epath.Path) -> list[dict[str, float]]:
    """The lines that are whole: a run that was killed may leave half of one."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found
