"""`dann-export`: a bundle as one file that runs without this package."""

import sys

from absl import app, flags
from etils import epath

from dann_jax.bundle import load_bundle
from dann_jax.bundle.export import export_bundle
from dann_jax.cli.console import exit_with_message
from dann_jax.workdir import write_whole

_MODEL = flags.DEFINE_string(
    "model", None, "A bundle, or the work directory that holds it.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "File to write, such as model.stablehlo.", required=True
)


def main(arguments: list[str]) -> None:
    """Export, and say what was."""
    if len(arguments) > 1:
        raise app.UsageError(f"unexpected argument {arguments[1]!r}")
    with exit_with_message(interrupted="interrupted"):
        bundle = load_bundle(_MODEL.value)
        artifact = export_bundle(bundle).serialize()
        write_whole(epath.Path(_OUTPUT.value), bytes(artifact))
    print(
        f"{_OUTPUT.value}: {len(artifact)} bytes, features "
        f"{', '.join(bundle.description.modalities)} to {', '.join(bundle.labels)}"
    )


def run() -> None:
    """Console entry point."""
    app.run(main)


if __name__ == "__main__":
    sys.exit(run())
