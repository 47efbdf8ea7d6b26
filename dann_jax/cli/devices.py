"""The devices of a command, and its compilation cache."""

import jax
from absl import flags

from dann_jax.training.compilation import use_compilation_cache
from dann_jax.utils.resources import usable_cores


def define_cpu_devices(values: flags.FlagValues) -> flags.FlagHolder[int]:
    """Add the flag `--cpu_devices` to those of a command."""
    return flags.DEFINE_integer(
        "cpu_devices",
        0,
        "Without an accelerator: devices to split the CPU into; 0 for one a core.",
        lower_bound=0,
        flag_values=values,
    )


def use_devices(cpu_devices: int) -> None:
    """Split the CPU and open the compilation cache; before JAX is used for anything.

    Args:
      cpu_devices: so many; 0 for one a core.
    """
    jax.config.update("jax_num_cpu_devices", cpu_devices or usable_cores())
    use_compilation_cache()
