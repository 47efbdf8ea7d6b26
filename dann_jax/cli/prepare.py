"""`dann-prepare`: from recordings to a store of features that `dann-train` reads."""

import csv
import json
import re
import sys
from typing import Any

from absl import app, flags

from dann_jax.cli import command
from dann_jax.cli.feature_flags import split_feature_flags
from dann_jax.cli.table_flags import TableFlags

# Worker processes import this module again: what is heavy is imported in functions.

USAGE = """\
dann-prepare --corpus=NAME --source=DIR --features=NAME,... --data_dir=DIR

Computes features of recordings and writes them to DATA_DIR/NAME/VERSION, which
dann-train reads. What cannot be used is left out and listed in problems.csv there.
Stopped at any moment, the same command goes on. A store whose recordings or table
have changed since is refused; --renew makes what has changed again. On several
machines --shard=1/3, 2/3 and 3/3 compute a part each before.

  --corpus=folders    folders or names of files say emotion and speaker:
                      angry/spk01_003.wav with --speaker='(spk\\d+)'
  --corpus=manifest   DIR holds manifest.csv or .jsonl with the columns file, speaker
                      and emotion; --table=FILE (.csv, .tsv, .txt, .jsonl or .xlsx)
                      where it lies elsewhere or has another name, and
                      --columns=path:file,label:emotion where columns have other names
                      and --raters=r1,r2,r3 where several raters labelled each row
  --corpus=parquet    DIR holds parquet files of Hugging Face's datasets with sound
  --corpus=audformat  DIR holds a database of audformat (pip install audformat)
  --corpus=ravdess    (or another that is read as it comes; a wrong name lists them)
  --features=logmel,functionals   (or mfcc, prosody, waveform, egemaps, sentence)
  --features=pretrained --pretrained.model=openai/whisper-base   (or a folder; also
                      --pretrained.layers=3 and --pretrained.pooling=mean)"""

_FLAGS = flags.FlagValues()
_CORPUS = flags.DEFINE_list(
    "corpus",
    None,
    "The layout of the recordings, such as ravdess; `manifest` for a table of one's "
    "own, `folders` where names of folders and files hold the labels. Several, with as "
    "many sources, make one store; NAME=manifest gives one a name.",
    flag_values=_FLAGS,
)
_SOURCE = flags.DEFINE_string(
    "source",
    None,
    "The folder of the recordings. Of several corpora, their folders in the same "
    "order, separated by commas; a name that holds a comma in quotes: '\"a, b\",c'.",
    flag_values=_FLAGS,
)
_FEATURES = flags.DEFINE_list(
    "features",
    ["logmel"],
    "What to compute, such as logmel,functionals.",
    flag_values=_FLAGS,
)
_ARGUMENTS = flags.DEFINE_string(
    "feature_args",
    "{}",
    'Parameters of the features as JSON, such as {"logmel": {"n_mels": 40}}; or each '
    "as a flag, such as --logmel.n_mels=40.",
    flag_values=_FLAGS,
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "The folder that holds all stores.", flag_values=_FLAGS
)
_EMOTIONS = flags.DEFINE_string(
    "emotions",
    None,
    "A CSV file with the columns word,emotion, such as wut,anger, for words that are "
    "not known. (--emotion, without the s, says where the word stands in a name.)",
    flag_values=_FLAGS,
)
_TABLE_FLAGS = TableFlags(_FLAGS)
_NAME = flags.DEFINE_string(
    "name",
    None,
    "Of the store; that of the corpus if unset. Letters, digits and _ alone are kept: "
    "a-b makes the store a_b.",
    flag_values=_FLAGS,
)
_STRICT = flags.DEFINE_bool(
    "strict", False, "Stop where a file cannot be used.", flag_values=_FLAGS
)
_RENEW = flags.DEFINE_bool(
    "renew",
    False,
    "Replace a store of that name whose recordings or table have changed since, or "
    "that is damaged or was made otherwise; what has not changed is kept.",
    flag_values=_FLAGS,
)
_WORKERS = flags.DEFINE_integer(
    "workers",
    0,
    "Processes that compute features; 0 for one a core.",
    lower_bound=0,
    flag_values=_FLAGS,
)
_PER_SPEAKER = flags.DEFINE_integer(
    "per_speaker",
    0,
    "At most so many recordings of each speaker, shared out evenly among the "
    "emotions, to try things out; 0 for all.",
    lower_bound=0,
    flag_values=_FLAGS,
)
_SHARD = flags.DEFINE_string(
    "shard",
    None,
    "I/N: compute the features of the first, second, ... of N equal parts alone, such "
    "as 1/3; other processes, on any machine that sees the folders, compute the "
    "others. The same command without it then makes the store.",
    flag_values=_FLAGS,
)
_RUNNER = flags.DEFINE_string(
    "runner",
    None,
    "Of Apache Beam, such as DirectRunner (which starts --workers processes), to "
    "compute the features and to write the store; without it, this machine does.",
    flag_values=_FLAGS,
)
_BEAM_OPTIONS = flags.DEFINE_list(
    "beam_options",
    [],
    "Options of the runner, such as region=us-west1,temp_location=gs://bucket/temp.",
    flag_values=_FLAGS,
)


_PARAMETERS: dict[str, dict[str, Any]] = {}
"""What flags such as `--logmel.n_mels` gave."""


def main(arguments: list[str]) -> None:
    """Prepare and print."""
    from dann_jax.cli.console import exit_with_message, start_logging

    command.require_no_arguments(arguments)
    command.require_flags(_CORPUS, _SOURCE, _FEATURES, _DATA_DIR)
    start_logging()
    with exit_with_message("interrupted; the same command goes on where it stopped"):
        print(_prepare())


def _prepare() -> str:
    from dann_jax.data.prepare import prepare

    if "pretrained" in _FEATURES.value:
        from dann_jax.training.compilation import use_compilation_cache

        use_compilation_cache()
    layouts, sources = _layouts(), _sources(len(_CORPUS.value))
    return prepare(
        dict(zip(layouts, sources, strict=True)),
        features=_features(),
        data_dir=_DATA_DIR.value,
        name=_NAME.value or "_".join(layouts),
        layouts=layouts,
        emotions=_EMOTIONS.value,
        reading=_TABLE_FLAGS.reading({*layouts.values()}),
        strict=_STRICT.value,
        workers=_WORKERS.value,
        runner=_RUNNER.value,
        beam_options=_BEAM_OPTIONS.value,
        shard=_SHARD.value,
        per_speaker=_PER_SPEAKER.value,
        renew=_RENEW.value,
    )


def _layouts() -> dict[str, str]:
    """Name of each corpus -> its layout; they are the same unless both are given."""
    layouts: dict[str, str] = {}
    for argument in _CORPUS.value:
        name, named, layout = argument.partition("=")
        if not re.fullmatch(r"[\w.-]+", name) or (named and not layout):
            raise app.UsageError(f"--corpus names a corpus {argument!r}")
        if name in layouts:
            raise app.UsageError(
                f"--corpus names {name!r} twice; give each a name of its own, such as "
                f"--corpus=first={layout or name},second={layout or name}"
            )
        layouts[name] = layout or name
    return layouts


def _sources(corpora: int) -> list[str]:
    """The folder of each corpus; where one is named, a comma is part of its name."""
    sources = [_SOURCE.value]
    if corpora > 1:
        sources = next(csv.reader(sources))
    if len(sources) != corpora:
        raise app.UsageError(
            f"--corpus names {corpora}, --source names {len(sources)} folders, which "
            f"commas separate; a name that holds a comma goes in quotes, as in "
            f"--source='\"a, b\",c'"
        )
    return sources


def _features() -> dict[str, dict[str, Any]]:
    try:
        arguments = json.loads(_ARGUMENTS.value)
    except ValueError as error:
        raise app.UsageError(f"--feature_args is not JSON: {error}") from None
    named = isinstance(arguments, dict) and all(
        isinstance(value, dict) for value in arguments.values()
    )
    if not named or set(arguments) - set(_FEATURES.value):
        raise app.UsageError(
            f"--feature_args must map some of {', '.join(_FEATURES.value)} to their "
            f"parameters"
        )
    for word, given in _PARAMETERS.items():
        if word not in _FEATURES.value:
            raise app.UsageError(
                f"--{word}.{next(iter(given))} is of features that --features does not "
                f"name"
            )
        if both := sorted(set(given) & set(arguments.get(word, {}))):
            raise app.UsageError(
                f"--{word}.{both[0]} and --feature_args both set {both[0]}"
            )
    return {
        word: arguments.get(word, {}) | _PARAMETERS.get(word, {})
        for word in _FEATURES.value
    }


def _take_parameters(words: list[str]) -> list[str]:
    others, parameters = split_feature_flags(words)
    _PARAMETERS.clear()
    _PARAMETERS.update(parameters)
    return others


def run() -> None:
    """Console entry point."""
    command.run(main, _FLAGS, USAGE, also=_take_parameters)


if __name__ == "__main__":
    sys.exit(run())
