"""`dann-prepare`: from recordings to a store of features that `dann-train` reads."""

import json
import os
import sys
from typing import Any

from absl import app, flags

# Worker processes import this module again: what is heavy is imported in functions.

_CORPUS = flags.DEFINE_list(
    "corpus",
    None,
    "The layout of the recordings, such as ravdess; `manifest` for a table of one's "
    "own. Several, with as many sources, make one store.",
)
_SOURCE = flags.DEFINE_list("source", None, "The folder of the recordings.")
_FEATURES = flags.DEFINE_list(
    "features", ["logmel"], "What to compute, such as logmel,functionals."
)
_ARGUMENTS = flags.DEFINE_string(
    "feature_args",
    "{}",
    'Parameters of the features as JSON, such as {"logmel": {"n_mels": 40}}.',
)
_DATA_DIR = flags.DEFINE_string("data_dir", None, "The folder that holds all stores.")
_EMOTIONS = flags.DEFINE_string(
    "emotions", None, "A table of one's own from a corpus's words to emotions."
)
_NAME = flags.DEFINE_string("name", None, "Of the store; that of the corpus if unset.")
_STRICT = flags.DEFINE_bool("strict", False, "Stop where a file cannot be used.")
_WORKERS = flags.DEFINE_integer(
    "workers", 0, "Processes that compute features; 0 for one a core.", lower_bound=0
)
_RUNNER = flags.DEFINE_string(
    "runner", None, "Of Apache Beam, to write the store; without it, this process does."
)


def main(arguments: list[str]) -> None:
    """Prepare and print."""
    from dann_jax.cli.console import exit_with_message, start_logging

    if len(arguments) > 1:
        raise app.UsageError(f"unexpected argument {arguments[1]!r}")
    for flag in (_CORPUS, _SOURCE, _FEATURES, _DATA_DIR):
        if not flag.value:
            raise app.UsageError(f"--{flag.name} is needed")
    start_logging()
    with exit_with_message():
        try:
            print(_prepare())
        except KeyboardInterrupt:
            sys.exit("interrupted; the same command goes on where it stopped")


def _prepare() -> str:
    from dann_jax.preparation import prepare

    return prepare(
        dict(_sources()),
        features=_features(),
        data_dir=_DATA_DIR.value,
        name=_NAME.value or "_".join(_CORPUS.value),
        emotions=_EMOTIONS.value,
        strict=_STRICT.value,
        workers=_WORKERS.value,
        runner=_RUNNER.value,
    )


def _sources() -> list[tuple[str, str]]:
    corpora, sources = _CORPUS.value, _SOURCE.value
    if len(corpora) != len(sources):
        raise app.UsageError(
            f"--corpus names {len(corpora)}, --source names {len(sources)} folders"
        )
    if len(set(corpora)) < len(corpora):
        raise app.UsageError("--corpus names a corpus twice")
    return list(zip(corpora, sources, strict=True))


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
    return {word: arguments.get(word, {}) for word in _FEATURES.value}


def run() -> None:
    """Console entry point."""
    # TensorFlow only writes the store; its start-up messages help nobody.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    app.run(main)


if __name__ == "__main__":
    sys.exit(run())
