"""`dann-export`: a bundle as one file that runs without this package."""

import sys

from absl import flags
from etils import epath

from dann_jax.bundle import load_bundle
from dann_jax.bundle.export import export_bundle, how_to_call
from dann_jax.cli import command
from dann_jax.cli.console import exit_with_message, start_logging
from dann_jax.utils.files import write_whole

USAGE = """\
dann-export --model=DIR --output=FILE

Writes a model as one StableHLO file that runs with nothing but JAX installed, on CPU,
GPU or TPU, and prints a program that calls it."""

_FLAGS = flags.FlagValues()
_MODEL = flags.DEFINE_string(
    "model",
    None,
    "A bundle, or the work directory that holds it.",
    flag_values=_FLAGS,
)
_ALLOW_CODE = flags.DEFINE_bool(
    "allow_code",
    False,
    "Import the modules that the model names as its makers' own; they can do whatever "
    "you can.",
    flag_values=_FLAGS,
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "File to write, such as model.stablehlo.", flag_values=_FLAGS
)


def main(arguments: list[str]) -> None:
    """Export the bundle and print how to call it."""
    command.require_no_arguments(arguments)
    command.require_flags(_MODEL, _OUTPUT)
    start_logging()
    with exit_with_message(interrupted="interrupted"):
        bundle = load_bundle(_MODEL.value, allow_code=_ALLOW_CODE.value)
        artifact = export_bundle(bundle).serialize()
        write_whole(epath.Path(_OUTPUT.value), bytes(artifact))
    print(
        f"{_OUTPUT.value}: {len(artifact)} bytes, features "
        f"{', '.join(bundle.description.modalities)} to {', '.join(bundle.labels)}. "
        f"With nothing but JAX:\n\n{how_to_call(bundle, _OUTPUT.value)}"
    )


def run() -> None:
    """Console entry point."""
    command.run(main, _FLAGS, USAGE)


if __name__ == "__main__":
    sys.exit(run())
