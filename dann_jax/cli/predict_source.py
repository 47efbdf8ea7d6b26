"""What `dann-predict` is asked to predict: cut recordings, or sound that comes."""

import contextlib
import logging
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dann_jax.bundle.live import live_windows, predict_live, warm_up
from dann_jax.bundle.model import Bundle
from dann_jax.bundle.predictions import ClipPrediction
from dann_jax.bundle.recordings import (
    MANIFESTS,
    Clip,
    Report,
    cut_into_windows,
    find_clips,
)
from dann_jax.bundle.segments import cut_into_segments
from dann_jax.cli.standard_input import Head, open_head
from dann_jax.data.features.speech import Detector

LIVE_WINDOW, LIVE_HOP = 3.0, 1.0
"""Seconds, of sound that comes, where nothing else is said."""

_log = logging.getLogger(__name__)


class Source(NamedTuple):
    """The arguments, and how they are to be cut.

    Attributes:
      arguments: those of the command line that are no flags.
      stdin_audio: whether standard input is one recording.
      window: seconds; None for whole recordings.
      hop: seconds; None for the length of a window.
      detector: what finds segments; None for no segments.
    """

    arguments: list[str]
    stdin_audio: bool
    window: float | None
    hop: float | None
    detector: Detector | None

    @property
    def is_timed(self) -> bool:
        """Whether what is predicted has a beginning and an end of its own."""
        manifest = any(word.lower().endswith(MANIFESTS) for word in self.arguments)
        return manifest or self.window is not None or self.detector is not None

    def head(self) -> Head | None:
        """How standard input begins, where it alone is to be predicted."""
        alone = self.stdin_audio or self.arguments == ["-"]
        return open_head(sys.stdin.buffer) if alone else None

    def is_live(self, head: Head | None) -> bool:
        """Whether that is sound to be predicted while it comes, in windows."""
        sound = head is not None and head.kind in ("wave", "raw")
        return sound and not self.stdin_audio and self.detector is None

    def clips(self, head: Head | None, folder: str, report: Report) -> Iterable[Clip]:
        """The recordings, cut.

        Args:
          head: from `head`.
          folder: for a recording that standard input is.
          report: called with a line on what cannot be predicted.
        """
        if head is not None and (self.stdin_audio or head.kind != "list"):
            if head.kind == "file" and not self.stdin_audio:
                _log.info(
                    "- is neither WAV nor samples of 16 bits, which are predicted "
                    "while they come: it is read to its end, as one recording"
                )
            clips: Iterable[Clip] = [head.recording(folder)]
        else:
            # Not every name of a file is text; as an argument it comes like this, too.
            with contextlib.suppress(AttributeError):
                sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
            listed = sys.stdin if head is None else head.paths()
            clips = find_clips(self.arguments, listed=listed, report=report)
        if self.detector is not None:
            clips = cut_into_segments(clips, self.detector, report=report)
        if self.window is not None:
            hop = self.window if self.hop is None else self.hop
            clips = cut_into_windows(clips, window=self.window, hop=hop)
        return clips

    def predict_live(
        self, bundle: Bundle, head: Head, *, report: Report, reject: float
    ) -> Iterator[ClipPrediction]:
        """Predictions of the windows of standard input; see `live.predict_live`."""
        stream = head.stream(report)
        window = self.window or LIVE_WINDOW
        hop = self.hop or self.window or LIVE_HOP
        warm_up(bundle, window=window, sample_rate=stream.sample_rate)
        _log.info(
            "listening to %s at %d Hz: a window of %g s every %g s",
            "WAV" if head.kind == "wave" else "samples of 16 bits without a header",
            *(stream.sample_rate, window, hop),
        )
        cuts = live_windows(stream, window=window, hop=hop)
        rate = stream.sample_rate
        return predict_live(bundle, cuts, rate, report=report, reject=reject)
