"""What a model card says of the scores that were measured."""

from collections.abc import Mapping
from typing import Any

from dann_jax.bundle.description import Description
from dann_jax.evaluation.verdicts import scale_of
from dann_jax.utils.words import counted


def measured_words(description: Description) -> str:
    """The section on what was measured, in Markdown.

    Args:
      description: of the bundle, its names escaped.
    """
    measured = description.measured
    scores = [
        f"- {metric}: {_number(score['mean'], metric)} (standard deviation over seeds "
        f"{_number(score['std'], metric)}; 95 % interval of the pooled score "
        f"{' to '.join(_number(end, metric) for end in score['ci95'])})"
        for metric, score in measured["scores"].items()
    ]
    unit = {
        "classes": "In per cent",
        "values": "In hundredths, but `rmse` in the unit of the ratings",
        "features": "In hundredths; they are errors, of which less is better",
    }
    parts = [f"{unit[description.answer]}:\n\n" + "\n".join(scores)]
    if choice := measured.get("choice"):
        parts.append(
            f"They are scores of the choice: in every fold of the candidate that its "
            f"training speakers chose, which need not be {choice['candidate']}, the "
            f"one that this model is. The scores of that candidate alone would "
            f"flatter, because all speakers' labels preferred it."
        )
    if description.speaker_statistics:
        parts.append(_of_whom(measured))
    if "target" in description.protocol:
        parts.append(
            "These are scores of other models: of held-out speakers of the source, "
            "who were adapted to in the same way. **On the target that this bundle is "
            "adapted to, they were not measured.**"
        )
    elif len(description.members) > 1:
        parts.append(
            "Each is the mean over models of one fold, tested on the rows that their "
            "fold tests. The bundle averages the outputs of the models of all folds. "
            "**That ensemble has not been tested**: what one member was tested on, "
            "others learned from."
        )
    parts += [
        f"Against {entry['against']}, {entry['metric']}: "
        f"{scale_of(entry['metric']) * entry['difference']:+.2f} points "
        f"({' to '.join(_number(end, entry['metric']) for end in entry['ci95'])})."
        for entry in measured["comparisons"]
    ]
    groups = measured["groups"]
    parts += [_group(column, values) for column, values in groups.items()]
    if speakers := measured.get("speakers"):
        parts.append(_speakers(speakers))
    if not groups:
        parts.append("No scores by gender, language or another group were recorded.")
    return "\n\n".join(parts)


def _of_whom(measured: Mapping[str, Any]) -> str:
    """Whose scores those of a model are that standardises by person."""
    text = (
        "These are scores of people whose recordings, all of them, standardise their "
        "features (`dann-predict --speakers` or `--enrol`)."
    )
    unenrolled = measured.get("unenrolled")
    if not unenrolled:
        return f"{text} Of people who are not enrolled they were not measured."
    scores = ", ".join(
        f"{metric} {_number(score['pooled'], metric)} "
        f"({' to '.join(_number(end, metric) for end in score['ci95'])})"
        for metric, score in unenrolled.items()
    )
    which = " this candidate has" if "choice" in measured else ""
    return f"{text} Of the same people when nobody is enrolled:{which} {scores}."


_COUNTS = {"rows": "row", "speakers": "speaker"}


def _group(column: str, values: Mapping[str, Mapping[str, float]]) -> str:
    """`value -> metric -> number` as a list."""
    lines = []
    for value, numbers in values.items():
        scores = [
            f"{k} {_number(x, k)}" for k, x in numbers.items() if k not in _COUNTS
        ]
        counts = [
            counted(int(numbers[key]), one)
            for key, one in _COUNTS.items()
            if key in numbers
        ]
        lines.append(f"- {value}: {', '.join(scores)} ({', '.join(counts)})")
    return "\n".join([f"By {column}:\n", *lines])


def _speakers(spread: Mapping[str, Mapping[str, float]]) -> str:
    """How far the speakers are apart: a mean hides whom it fails."""
    lines = [
        f"- {metric}: from {_number(of['min'], metric)} to "
        f"{_number(of['max'], metric)}, median {_number(of['median'], metric)}, of "
        f"{of['speakers']} tested speakers"
        for metric, of in spread.items()
    ]
    return "\n".join(["By speaker:\n", *lines])


def _number(value: float, metric: str) -> str:
    return f"{scale_of(metric) * value:.2f}"
