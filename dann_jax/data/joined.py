"""A labelled corpus and the recordings that a model is to be adapted to, as one."""

import dataclasses
import logging

import numpy as np

from dann_jax.data.corpus import Corpus, CorpusError
from dann_jax.data.features.extractor import mismatch
from dann_jax.data.frames import Frames
from dann_jax.data.stacked import stack_columns
from dann_jax.utils.words import listed, shorten

SIDE = "side"
"""The column that says which rows are of which side."""

SIDES = ("source", "target")

_log = logging.getLogger(__name__)


def with_target(source: Corpus, target: Corpus) -> Corpus:
    """The rows of both, with the column `side`: `source` or `target`.

    Where both have an id or a dialogue of the same name, those of the target get
    `target:` before them. Speakers keep their names: a protocol refuses one on both
    sides.

    Args:
      source: that has labels.
      target: that is adapted to.

    Returns:
      Its columns are those of both, empty where one has none; features are in memory.

    Raises:
      CorpusError: their features differ, or how these were made, or all recordings of
        the target are recordings of the source.

    Example:
      >>> from dann_jax.data.synthetic.conversations import synthetic_conversations
      >>> ours = synthetic_conversations(sessions=2, dialogues=2, turns=4)
      >>> theirs = synthetic_conversations(sessions=1, dialogues=2, turns=4)
      >>> both = with_target(ours, theirs)
      >>> both.column("side")[[0, -1]].tolist(), both.column("utt_id")[-1][:7]
      (['source', 'target'], 'target:')
    """
    require_alike(source, target)
    _require_other_sound(source, target)
    columns = stack_columns([source.columns, _own_names(source, target)])
    columns[SIDE] = np.repeat(SIDES, (len(source), len(target)))
    return dataclasses.replace(
        source,
        name=f"{source.name} and target {target.name}",
        columns=columns,
        features={
            name: _joined_features(array, target.features[name])
            for name, array in source.features.items()
        },
        present={
            name: np.concatenate([flags, target.present[name]])
            for name, flags in source.present.items()
        },
    )


def require_alike(source: Corpus, target: Corpus) -> None:
    """Raise `CorpusError` unless the features of both were made in the same way."""
    advice = (
        "; make those of the target as those of the source were made (dann-adapt does, "
        "if --to names the recordings themselves)"
    )
    if {*source.features} != {*target.features}:
        raise CorpusError(
            f"the source has the features {', '.join(source.features)}, the target "
            f"{', '.join(target.features)}: data.modalities can choose among them"
        )
    for name, array in source.features.items():
        other = target.features[name]
        kinds = _shape(array), _shape(other)
        made = [
            one.provenance.get("features", {}).get(name) for one in (source, target)
        ]
        reason = mismatch(*made)
        if kinds[0] != kinds[1]:
            reason = f"expected {kinds[0]}, found {kinds[1]}"
        if reason:
            raise CorpusError(
                f"the features {name!r} of the target {target.name!r} are not made as "
                f"those of the source {source.name!r}: {reason}{advice}"
            )


def _shape(features: np.ndarray | Frames) -> str:
    each = "frame" if isinstance(features, Frames) else "recording"
    return f"{features.shape[-1]} values a {each}"


def _require_other_sound(source: Corpus, target: Corpus) -> None:
    hashes = [
        one.columns.get("audio_hash", np.zeros(0, str)) for one in (source, target)
    ]
    same = np.isin(hashes[1], hashes[0]) & (hashes[1] != "")
    if not same.any():
        return
    names = listed(map(shorten, target.columns["utt_id"][same]))
    if same.all():
        raise CorpusError(
            f"all {len(same)} recordings of the target are recordings of the source "
            f"({names}): name other recordings"
        )
    _log.warning(
        "%d of %d recordings of the target are recordings of the source (%s): their "
        "copies there are left out where the target is adapted to",
        *(same.sum(), len(same), names),
    )


def _own_names(source: Corpus, target: Corpus) -> dict[str, np.ndarray]:
    """The columns of the target, its ids and dialogues unlike the source's."""
    columns = dict(target.columns)
    for name in {"utt_id", "dialogue"} & {*columns}:
        values, taken = columns[name], source.columns.get(name, np.zeros(0, str))
        if np.isin(values[values != ""], taken).any():
            columns[name] = np.array([f"target:{v}" if v else "" for v in values])
    return columns


def _joined_features(
    first: np.ndarray | Frames, second: np.ndarray | Frames
) -> np.ndarray | Frames:
    if isinstance(first, Frames):
        values = np.concatenate([first.values, second.values])
        return Frames(values, np.concatenate([first.lengths, second.lengths]))
    return np.concatenate([first, second])
