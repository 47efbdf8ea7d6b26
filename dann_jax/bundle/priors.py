"""What enrolling a person needs, among the arrays of a bundle's `standardiser.npz`.

`prior/mean/MODALITY`, `prior/scale/...`, `.../centre/...` and `.../spread/...`, float32
`[members, dim]`; for label-aware statistics also `.../class_means/...` and
`.../weights/...`, `[members, classes, dim]`, `.../bias/...`, `[members, classes]`, and
`.../ratio/...`, `[members, dim]`. Versions of this package that know nothing of them
refuse such a file: they would take everybody for the mean of the training speakers.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from dann_jax.bundle.description import Description
from dann_jax.tasks.speaker_offset import OffsetModel
from dann_jax.tasks.speaker_statistics import Prior, Standardisation

Priors = Mapping[str, Sequence[Prior]]
"""Modality -> of each member."""

ABOVE_0 = ("scale", "spread", "ratio")
"""Arrays of a bundle that are divided by."""

_OF_CLASSES = ("class_means", "weights")


def statistics_of(description: Description) -> Standardisation | None:
    """By what the model's features are standardised, and how; None for all alike."""
    options = description.speaker_statistics
    return Standardisation(**options) if options else None


def prior_arrays(priors: Priors) -> dict[str, np.ndarray]:
    """`prior/FIELD/MODALITY` -> float32 `[M, ...]`."""
    arrays: dict[str, list[np.ndarray]] = {}
    for name, members in priors.items():
        for prior in members:
            for field, values in _fields(prior).items():
                arrays.setdefault(f"prior/{field}/{name}", []).append(values)
    return {key: np.float32(values) for key, values in arrays.items()}


def prior_shapes(description: Description) -> dict[str, tuple[int, ...]]:
    """The shapes of `prior_arrays` of a bundle; none where there are none."""
    how, members = statistics_of(description), len(description.members)
    if how is None:
        return {}
    classes, shapes = len(description.labels), {}
    fields = ["mean", "scale", "centre", "spread"]
    if how.kind == "label_aware":
        fields += OffsetModel._fields
    for name, modality in description.modalities.items():
        for field in fields:
            shape = (classes,) if field in (*_OF_CLASSES, "bias") else ()
            shape += () if field == "bias" else (modality.dim,)
            shapes[f"prior/{field}/{name}"] = (members, *shape)
    return shapes


def priors_from(arrays: Mapping[str, np.ndarray], description: Description) -> Priors:
    """The priors whose arrays these are, each `[M, ...]` with an entry a member."""
    how = statistics_of(description)
    if how is None:
        return {}
    aware = how.kind == "label_aware"

    def of_member(name: str, member: int) -> Prior:
        def at(field: str) -> np.ndarray:
            return arrays[f"prior/{field}/{name}"][member].astype(np.float64)

        plain = {field: at(field) for field in Prior._fields if field != "offsets"}
        offsets = OffsetModel(*map(at, OffsetModel._fields)) if aware else None
        return Prior(**plain, offsets=offsets)

    members = range(len(description.members))
    return {
        name: tuple(of_member(name, member) for member in members)
        for name in description.modalities
    }


def _fields(prior: Prior) -> dict[str, np.ndarray]:
    fields = prior._asdict()
    offsets = fields.pop("offsets")
    return fields | (offsets._asdict() if offsets else {})
