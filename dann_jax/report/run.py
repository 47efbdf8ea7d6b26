"""Read a finished run from its work directory."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from etils import epath

from dann_jax.report.choice_run import (
    candidate_names,
    renamed_analysis,
    renamed_line,
)
from dann_jax.training.writer import read_metrics
from dann_jax.utils.files import WorkdirError, read_json

_KINDS = {
    **{"system": str, "corpora": list, "protocol": dict},
    **{"replicas": list, "summary": dict},
}
"""Keys that `results.json` must have."""


class RunFiles(NamedTuple):
    """The content of a finished run's work directory.

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


SETTINGS = "settings"
"""The folder, within that of a choice, of the work directories of its settings."""


def read_run(workdir: epath.PathLike) -> RunFiles:
    """Read the work directory of a finished run.

    A choice has the analysis and the curves of the setting whose candidate it
    recommends, as far as that setting has left them.

    Raises:
      ValueError: it is no finished run, or one of its files is damaged.
    """
    folder = epath.Path(workdir)
    path = folder / "results.json"
    if not path.exists():
        raise WorkdirError(f"{workdir} holds no results.json: no finished run")
    results = with_nan(read_json(path))
    wrong = [
        name
        for name, kind in _KINDS.items()
        if not isinstance(results.get(name), kind) or not results[name]
    ]
    if wrong:
        raise WorkdirError(f"{path} lacks {', '.join(wrong)}, or they are malformed")

    def optional(name: str) -> Mapping[str, Any]:
        return read_json(folder / name) if (folder / name).exists() else {}

    run = RunFiles(
        name=folder.resolve().name,
        results={"comparisons": [], "labels": [], **results},
        analysis=with_nan(optional("analysis.json")),
        epochs=read_metrics(folder),
        config=optional("config.json"),
        environment=optional("environment.json"),
    )
    setting = results.get("choice", {}).get("recommended", {}).get("setting")
    if not setting or not (folder / SETTINGS / setting / "results.json").exists():
        return run
    names = candidate_names(results["choice"])
    own = read_run(folder / SETTINGS / setting)
    return run._replace(
        analysis=renamed_analysis(own.analysis, names),
        epochs=[renamed_line(line, names) for line in own.epochs],
    )


def with_nan(value: Any) -> Any:
    """JSON's null as NaN in lists of numbers and under keys of objects, and so on down.

    Example:
      >>> with_nan({"ci95": [None, 0.5]})
      {'ci95': [nan, 0.5]}
    """
    if isinstance(value, dict):
        return {key: with_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_nan(item) for item in value]
    return float("nan") if value is None else value
