"""`dann-export`: a bundle for other programs, and for the Hugging Face hub."""

import sys

from absl import flags

from dann_jax.bundle import load_bundle
from dann_jax.bundle.export_programs import how_to_call
from dann_jax.bundle.formats import FORMATS, format_of, write_export
from dann_jax.cli import command
from dann_jax.cli.console import exit_with_message, start_logging

USAGE = """\
dann-export --model=DIR --output=FILE [--format=FORMAT]

Writes a model in a format that other programs run, and prints a program that calls it:
StableHLO, one file that runs with nothing but JAX; ONNX, one file for onnxruntime, in
Python, browsers and elsewhere; a SavedModel of TensorFlow; or a folder for the Hugging
Face hub, from which every --model loads it again."""

_FLAGS = flags.FlagValues()
_MODEL = flags.DEFINE_string(
    "model",
    None,
    "A bundle, the work directory that holds it, or hf://OWNER/NAME.",
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
    "output",
    None,
    "File to write, such as model.stablehlo or model.onnx; or a new folder, for "
    "savedmodel and huggingface.",
    flag_values=_FLAGS,
)
_FORMAT = flags.DEFINE_enum(
    "format",
    None,
    list(FORMATS),
    f"One of {', '.join(FORMATS)}; by default onnx where --output ends in .onnx, else "
    f"stablehlo.",
    flag_values=_FLAGS,
)


def main(arguments: list[str]) -> None:
    """Export the bundle and print how to call it."""
    command.require_no_arguments(arguments)
    command.require_flags(_MODEL, _OUTPUT)
    start_logging()
    output = _OUTPUT.value
    with exit_with_message(interrupted="interrupted", writes_to=output):
        form = format_of(output, _FORMAT.value)
        bundle = load_bundle(_MODEL.value, allow_code=_ALLOW_CODE.value)
        remark = write_export(bundle, output, form)
        program = how_to_call(bundle, output, form)
    features = ", ".join(bundle.description.modalities)
    remarks = f"{remark} " if remark else ""
    print(
        f"{output}: {form}, features {features} to {', '.join(bundle.labels)}. "
        f"{remarks}With {FORMATS[form].runs_with}:\n\n{program}"
    )


def run() -> None:
    """Console entry point."""
    command.run(main, _FLAGS, USAGE)


if __name__ == "__main__":
    sys.exit(run())
