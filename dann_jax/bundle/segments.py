"""Recordings cut where somebody speaks."""

from collections.abc import Iterable, Iterator

from dann_jax.bundle.recordings import Clip, Report
from dann_jax.data.features.audio import AudioError
from dann_jax.data.features.speech import Detector, speech_segments


def cut_into_segments(
    clips: Iterable[Clip], detector: Detector, *, report: Report
) -> Iterator[Clip]:
    """Every clip cut into its stretches of speech, each predicted alone.

    What cannot be read stays as it is, so that reading it says what is wrong.

    Args:
      clips: recordings, or parts of them.
      detector: one of `dann_jax.data.features.speech.DETECTORS`.
      report: called with a line for each clip without speech.
    """
    for clip in clips:
        try:
            found = speech_segments(clip.file, detector, start=clip.start, end=clip.end)
        except AudioError:
            yield clip
            continue
        if not found:
            report(
                f"{clip.name}: no speech is found in it; without --segments it is "
                f"predicted as a whole"
            )
        for start, end in found:
            yield clip._replace(start=start, end=end, dialogue="")
