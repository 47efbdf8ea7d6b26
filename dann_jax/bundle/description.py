"""The description of a bundle: `bundle.json`."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dann_jax.data.corpus import Corpus
from dann_jax.data.frames import Frames
from dann_jax.evaluation.scorers.table import ANSWERS
from dann_jax.tasks.speaker_statistics import KINDS

FORMAT = "dann_jax.bundle"
MOST = 1 << 24
"""Values of a vector, or frames of an utterance, that are still believed."""

VERSION = 1
"""Of the layout; a bundle of another one is not read."""


class BundleError(ValueError):
    """The bundle is damaged or no bundle, or its model cannot predict this input."""


class Modality(NamedTuple):
    """The features of one modality of a model.

    Attributes:
      dim: values of a vector.
      framewise: whether there is a vector for every frame, or one an utterance.
      provenance: what `Extractor.provenance` returned; None where it is unknown.
    """

    dim: int
    framewise: bool
    provenance: Mapping[str, Any] | None

    def shape(self) -> str:
        """For messages."""
        return f"{self.dim} values a{' frame' if self.framewise else 'n utterance'}"


def modalities_of(corpus: Corpus) -> dict[str, Modality]:
    """What a corpus holds, with the provenance that it recorded."""
    provenance = corpus.provenance.get("features", {})
    return {
        name: Modality(
            int(array.shape[-1]), isinstance(array, Frames), provenance.get(name)
        )
        for name, array in corpus.features.items()
    }


@dataclasses.dataclass(frozen=True)
class Description:
    """Everything about a bundle but its numbers.

    Attributes:
      system: name of what was trained.
      labels: the classes, or the names of values, in the order of the outputs.
      encoder: keyword arguments of `models.network.build`.
      heads: the other keyword arguments of `Dann`, such as `head_dropout`.
      adversaries: name -> number of domains, for the record: their heads are not kept.
      members: `fold`, `seed`, `arm` and `step` of each member.
      modalities: name -> features of this modality.
      corpora: names of what was learned from.
      standardised_by: the column of `open_corpus`, None where none was used.
      protocol: as in `results.json`.
      measured: `arm`, its `scores` and `comparisons` as in `results.json`, `groups`:
        column -> value -> metric (or `rows`, `speakers`) -> number, and, of newer
        bundles, `speakers`: metric -> `speakers`, `min`, `median` and `max` over them,
        `calibration`, `unenrolled` (`scores` of people of whom nothing is known) and
        `choice` (`candidate`, `setting`, `candidates`: of how many it is one).
      licence: of the data; None where it is not known.
      packages: name -> version of what made the bundle.
      answer: a word of `ANSWERS`, how the outputs are read; with `features` only
        features are compared: the labels are then those of the training rows alone,
        such as training speakers.
      max_frames: of an utterance; of a longer one the middle is used, as it was in
        training. 0 for no limit.
      data: which data it learned from, as in `results.json`; empty in older bundles.
      temperature: positive, of classes: every member's logits are divided by it. 1 in
        older bundles, and where none was fitted.
      speaker_statistics: the fields of a `Standardisation`: the column that features
        are standardised by, and how; empty where all are standardised alike.
      nuisance_directions: how many are removed from the features; 0 in older bundles.
    """

    system: str
    labels: tuple[str, ...]
    encoder: Mapping[str, Any]
    heads: Mapping[str, Any]
    adversaries: Mapping[str, int]
    members: tuple[Mapping[str, Any], ...]
    modalities: Mapping[str, Modality]
    corpora: tuple[str, ...]
    standardised_by: str | None
    protocol: Mapping[str, Any]
    measured: Mapping[str, Any]
    licence: str | None
    packages: Mapping[str, str]
    answer: str = "classes"
    max_frames: int = 0
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    temperature: float = 1.0
    speaker_statistics: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    nuisance_directions: int = 0


_OPTIONAL_TEXT = (str, type(None))
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("labels", "members", "corpora"), list),
    **dict.fromkeys(("encoder", "heads", "adversaries", "modalities"), dict),
    **dict.fromkeys(("data", "protocol", "measured", "packages"), dict),
    **{"system": str, "standardised_by": _OPTIONAL_TEXT, "licence": _OPTIONAL_TEXT},
    **{"answer": str, "max_frames": int, "temperature": (int, float)},
    **{"speaker_statistics": dict, "nuisance_directions": int},
}
_MEMBER = {"fold": str, "seed": int, "arm": str, "step": int}
_MODALITY = {"dim": int, "framewise": bool, "provenance": (dict, type(None))}


def to_json(description: Description) -> dict[str, Any]:
    """The description as JSON values."""
    fields = dict(vars(description))
    fields["modalities"] = {
        name: modality._asdict() for name, modality in description.modalities.items()
    }
    return {"format": FORMAT, "version": VERSION, **fields}


def from_json(content: Any, where: str) -> Description:
    """The description that `to_json` made; `where` is the file, for messages.

    Raises:
      BundleError: it describes something else, or a part is missing or malformed.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BundleError(f"{where} does not describe a bundle of dann_jax")
    if not _is(content.get("version"), int) or content["version"] != VERSION:
        raise BundleError(
            f"{where} is of version {content.get('version')!r}, this package reads "
            f"version {VERSION}"
        )
    # Older bundles do not say.
    unsaid = {"answer": "classes", "max_frames": 0, "data": {}, "temperature": 1.0}
    unsaid |= {"speaker_statistics": {}, "nuisance_directions": 0}
    fields = _fields({**unsaid, **content}, _KINDS, where)
    if fields["answer"] not in ANSWERS:
        raise BundleError(
            f"{where}: unknown answer {fields['answer']!r}; this package reads "
            f"{', '.join(ANSWERS)}"
        )
    if not 0 <= fields["max_frames"] < MOST:
        raise BundleError(f"{where}: max_frames is {fields['max_frames']}")
    if not 0.0 < fields["temperature"] < float("inf"):
        raise BundleError(
            f"{where}: temperature is {fields['temperature']}; it must be above 0"
        )
    if _is_malformed(fields["speaker_statistics"]):
        raise BundleError(f"{where}: missing or malformed: speaker_statistics")
    empty = [name for name in ("labels", "members", "modalities") if not fields[name]]
    if empty:
        raise BundleError(f"{where}: {', '.join(empty)}: nothing is there")
    fields["modalities"] = {
        name: Modality(**_fields(modality, _MODALITY, f"{where}, modality {name!r}"))
        for name, modality in fields["modalities"].items()
    }
    for name, modality in fields["modalities"].items():
        if not 0 < modality.dim < MOST:
            raise BundleError(f"{where}, modality {name!r}: dim is {modality.dim}")
        if not 0 <= (removed := fields["nuisance_directions"]) < modality.dim:
            raise BundleError(f"{where}: nuisance_directions is {removed}")
    for number, member in enumerate(fields["members"]):
        _fields(member, _MEMBER, f"{where}, member {number}")
    for name in ("labels", "corpora"):
        words = fields[name]
        if not all(isinstance(word, str) for word in words):
            raise BundleError(f"{where}: {name} must be strings")
        if name == "labels" and len({*words}) < len(words):
            raise BundleError(f"{where}: a label occurs twice")
    for name in ("labels", "members", "corpora"):
        fields[name] = tuple(fields[name])
    return Description(**fields)


def _fields(content: Any, kinds: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Those fields of an object, each of its kind."""
    content = content if isinstance(content, dict) else {}
    wrong = [
        name
        for name, kind in kinds.items()
        if name not in content or not _is(content[name], kind)
    ]
    if wrong:
        raise BundleError(f"{where}: missing or malformed: {', '.join(wrong)}")
    return {name: content[name] for name in kinds}


def _is(value: Any, kind: type | tuple[type, ...]) -> bool:
    # To Python, true and false are numbers.
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _is_malformed(speaker_statistics: Mapping[str, Any]) -> bool:
    """Whether it is neither empty nor a `Standardisation`."""
    kinds = {"column": str, "kind": str, "k": (int, float)}
    return bool(speaker_statistics) and (
        set(speaker_statistics) != set(kinds)
        or not all(_is(speaker_statistics[name], kinds[name]) for name in kinds)
        or speaker_statistics["kind"] not in KINDS
        or not 0.0 <= speaker_statistics["k"] < float("inf")
    )


def silent_corpus(modalities: Mapping[str, Modality]) -> Corpus:
    """A corpus of one utterance of zeros, for the shapes of a batch."""

    def zeros(modality: Modality) -> np.ndarray | Frames:
        values = np.zeros((1, modality.dim), np.float32)
        return Frames(values, np.array([1])) if modality.framewise else values

    return Corpus(
        name="silence",
        columns={"utt_id": np.array(["silence"]), "speaker": np.array([""])},
        features={name: zeros(modality) for name, modality in modalities.items()},
        present={name: np.ones(1, bool) for name in modalities},
    )
