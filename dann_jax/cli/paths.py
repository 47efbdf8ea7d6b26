"""Where the configs are that come with the package."""

import pathlib


def default_config() -> str:
    """Path of the embedded default, beside the package or inside its installation."""
    package = pathlib.Path(__file__).parents[1]
    installed = package / "configs" / "voices.py"
    checkout = package.parent / "configs" / "voices.py"
    return str(installed if installed.exists() else checkout)
