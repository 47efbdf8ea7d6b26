"""Parts that are written by the workers of Apache Beam.

A worker writes the part of a chunk into the working folder, which it must see, as the
recordings. What it hands back is a number: a chunk that Beam gives out twice is the
same file twice, and a pipeline that ends early leaves what it has done.
"""

from collections.abc import Sequence
from typing import Any

from dann_jax.data.beam import BeamRunner, run_by
from dann_jax.data.features.batched_extraction import PartWriter
from dann_jax.data.features.extraction_worker import ExtractionJob
from dann_jax.data.features.items import Item


def write_beam_parts(
    job: ExtractionJob, chunks: Sequence[Sequence[Item]], beam: BeamRunner
) -> None:
    """Write parts for all chunks, in no order.

    Args:
      job: what to compute.
      chunks: what a worker takes at a time.
      beam: the runner.

    Raises:
      OSError: the pipeline failed; the parts that it wrote stay.
    """
    import apache_beam

    options = beam.pipeline_options()
    with run_by(beam), apache_beam.Pipeline(options=options) as pipeline:
        waiting = pipeline | apache_beam.Create(chunks, reshuffle=True)
        _ = waiting | apache_beam.ParDo(_write_parts(job))


def _write_parts(job: ExtractionJob) -> Any:
    import apache_beam

    class WriteParts(apache_beam.DoFn):
        """Made once a worker: it has the extractors, and a process of its own."""

        def setup(self) -> None:
            self._writer = PartWriter(job)

        def process(self, chunk: Sequence[Item]) -> None:
            self._writer.write(chunk)

        def teardown(self) -> None:
            self._writer.close()

    return WriteParts()
