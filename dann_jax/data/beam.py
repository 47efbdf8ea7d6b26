"""Apache Beam, where it is installed: which runner, with which options."""

import importlib.util
from typing import Any, NamedTuple

from dann_jax.data.corpus import CorpusError
from dann_jax.utils.resources import usable_cores

_LOCAL = "DirectRunner"


class BeamRunner(NamedTuple):
    """A runner of Apache Beam.

    Attributes:
      name: such as `DirectRunner`, `FlinkRunner` or `DataflowRunner`.
      options: of its pipelines, `name=value` or `name`, such as `region=us-west1`.
      workers: processes of `DirectRunner`, which runs on this machine; 0 for one a
        core.
    """

    name: str
    options: tuple[str, ...] = ()
    workers: int = 0

    def flags(self) -> list[str]:
        """The options as Beam parses them.

        Example:
          >>> BeamRunner("FlinkRunner", ("parallelism=8",)).flags()
          ['--runner=FlinkRunner', '--parallelism=8']
        """
        local = [
            "direct_running_mode=multi_processing",
            f"direct_num_workers={self.workers or usable_cores()}",
            "default_sdk_harness_log_level=ERROR",
        ]
        # Of an option that is given twice, Beam takes the last.
        options = [*(local if self.name == _LOCAL else ()), *self.options]
        return [f"--runner={self.name}", *(f"--{option}" for option in options)]

    def pipeline_options(self) -> Any:
        """The options as Beam's own type.

        Raises:
          CorpusError: Apache Beam is not installed.
        """
        require_beam()
        from apache_beam.options.pipeline_options import PipelineOptions

        return PipelineOptions(self.flags())


def require_beam() -> None:
    """Raise `CorpusError` where no runner can run."""
    if not importlib.util.find_spec("apache_beam"):
        raise CorpusError(
            "a runner needs Apache Beam: pip install 'dann_jax[beam]', or leave the "
            "runner out"
        )
