"""Commands that have a config beside their flags."""

from collections.abc import Callable

from absl import flags
from ml_collections import ConfigDict

from dann_jax.cli import command
from dann_jax.cli.config import change_config, load_config
from dann_jax.cli.console import exit_with_message
from dann_jax.cli.signals import ends_at_once


def run_with_config(
    main: Callable[[list[str], ConfigDict], None],
    name: flags.FlagHolder[str],
    values: flags.FlagValues,
    usage: str,
) -> None:
    """Call `main` with the words of a command line and the config that they ask for.

    Args:
      main: of the command.
      name: the flag that names the config; `--config.KEY=VALUE` changes it.
      values: the flags of the command.
      usage: for `--help`.
    """
    loaded: list[ConfigDict] = []

    def load(words: list[str]) -> list[str]:
        with exit_with_message():
            loaded.append(load_config(name.value))
            return change_config(loaded[-1], words)

    with ends_at_once(lambda: "nothing was begun"):
        command.run(lambda words: main(words, loaded[-1]), values, usage, also=load)
