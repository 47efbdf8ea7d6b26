"""People who are enrolled by recordings: one, or everybody in what is predicted."""

import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from dann_jax.bundle.description import BundleError
from dann_jax.bundle.enrolment import require_enrolment
from dann_jax.bundle.model import Bundle
from dann_jax.bundle.predictions import ReadClip, corpus_of_clips, read_clips
from dann_jax.bundle.recordings import Clip, Report
from dann_jax.data.identifiers import is_unknown_name, spelled
from dann_jax.utils.text import one_line
from dann_jax.utils.words import counted

_log = logging.getLogger(__name__)

NameOf = Callable[[Clip], str]
"""Whose recording it is; an empty string where nobody is named."""


def name_of(speakers: str) -> NameOf:
    """How recordings name their people.

    Args:
      speakers: `folder`: those of a folder are of one person; `column`: the manifest
        has a column `speaker`; or a regular expression with a group, which is searched
        for in the name of a file and, if it is not there, in its path: the group is the
        name of the person.

    Raises:
      ValueError: it is no regular expression, or one without a group.

    Example:
      >>> name_of("([0-9]+)[a-z]")(Clip("speech/03a01.wav", "speech/03a01.wav"))
      '03'
    """
    if speakers == "folder":
        return lambda clip: os.path.dirname(clip.file)
    if speakers == "column":
        return lambda clip: "" if is_unknown_name(clip.speaker) else clip.speaker
    try:
        pattern = re.compile(speakers)
    except re.error as error:
        raise ValueError(
            f"{speakers!r} is no regular expression ({error}); say folder, column, or "
            f"an expression with a group, such as '([^/]+)_[0-9]+[.]wav'"
        ) from None
    if not pattern.groups:
        raise ValueError(
            f"{speakers!r} has no group: put parentheses around what names the person "
            f"in a path, such as '([^/]+)_[0-9]+[.]wav'; or say folder or column"
        )

    def matched(clip: Clip) -> str:
        # A folder far above must not name everybody below it.
        own = pattern.search(os.path.basename(clip.file))
        found = own or pattern.search(clip.file)
        return spelled(found.group(1) or "") if found else ""

    return matched


def with_names(clips: Iterable[Clip], name: NameOf) -> Iterable[Clip]:
    """The clips, each with its person for a speaker."""
    return (clip._replace(speaker=name(clip)) for clip in clips)


def enrol_one(
    bundle: Bundle, clips: Iterable[Clip], *, report: Report, batch_size: int = 16
) -> Bundle:
    """The bundle for one person, whose recordings these all are.

    Raises:
      BundleError: the model standardises everybody alike, or no clip has sound.
    """
    require_enrolment(bundle.description)
    alone = with_names(clips, lambda clip: "")
    read = _flat(read_clips(bundle, alone, report=report, batch_size=batch_size))
    enrolled = _enrolled(bundle, read)
    count = sum(not one.silent for one in read)
    _log.info("enrolled one person by %s", counted(count, "recording"))
    return enrolled


def enrol_everybody(bundle: Bundle, read: Iterable[Sequence[ReadClip]]) -> Bundle:
    """The bundle for the people of these recordings, each by all of their own.

    Raises:
      BundleError: no recording names a person, or none with sound does.
    """
    everything = _flat(read)
    ours = [one for one in everything if one.clip.speaker]
    if not ours:
        example = f", such as {one_line(everything[0].clip.name)}" if everything else ""
        raise BundleError(
            f"none of {len(everything)} recordings{example}, names a person: look at "
            f"--speakers (folder, column for the column speaker of a manifest, or a "
            f"regular expression with a group that the path matches)"
        )
    if len(ours) < len(everything):
        _log.warning(
            "warning: %d of %d recordings name no person: the training speakers' "
            "statistics standardise them",
            *(len(everything) - len(ours), len(everything)),
        )
    bundle = _enrolled(bundle, ours)
    sounding = [one.clip.speaker for one in ours if not one.silent]
    counts = np.unique(sounding, return_counts=True)[1]
    _log.info(
        "enrolled %s by the recordings that are predicted, each by their own: %d to %d "
        "of a person",
        *(counted(len(counts), "person", "people"), counts.min(), counts.max()),
    )
    if once := int((counts == 1).sum()):
        _log.warning(
            "warning: %d of %d people have one recording: most of their statistics are "
            "the training speakers'",
            *(once, len(counts)),
        )
    return bundle


def _flat(read: Iterable[Sequence[ReadClip]]) -> list[ReadClip]:
    return [one for batch in read for one in batch]


def _enrolled(bundle: Bundle, read: Sequence[ReadClip]) -> Bundle:
    sounding = [one for one in read if not one.silent]
    if not sounding:
        raise BundleError(
            f"of {counted(len(read), 'recording')} to enrol by none has sound that can "
            f"be read: one recording of a voice is needed at least"
        )
    corpus = corpus_of_clips(bundle, bundle.extractors(), sounding)
    return bundle.enrol_corpus(corpus)
