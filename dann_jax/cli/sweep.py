"""`--sweep=arms.ARM.ADVERSARY=VALUE,VALUE`: an arm for every strength."""

import re
from collections.abc import Sequence

from ml_collections import ConfigDict

from dann_jax.cli.config import ConfigError

_SWEEP = re.compile(r"(?:config\.)?arms\.(\w+)\.(\w+)=(.+)")


def swept(config: ConfigDict, sweeps: Sequence[str]) -> ConfigDict:
    """The config with an arm for every value, in the place of the arm that is swept.

    Args:
      config: locked, with the arm.
      sweeps: such as `arms.dann.speaker=0.03,0.1`; the values are numbers of at least
        0. What else the arm has is kept in every one.

    Raises:
      ConfigError: it is not of this form, the arm is none that can be swept, or it has
        no such adversary.

    Example:
      >>> from dann_jax.experiment.config import base_config
      >>> arms = swept(base_config().lock(), ["arms.dann.speaker=0.03,1"]).arms
      >>> {name: dict(arm) for name, arm in arms.items()}
      {'dann_0_03': {'speaker': 0.03}, 'dann_1': {'speaker': 1.0}, 'source_only': {}}
    """
    config = config.copy_and_resolve_references().unlock()
    for sweep in sweeps:
        match = _SWEEP.fullmatch(sweep)
        if not match:
            raise ConfigError(
                f"--sweep must be such as arms.dann.speaker=0.03,0.1,0.3, got {sweep}"
            )
        arm, adversary, values = match.groups()
        if arm not in config.arms or arm == config.baseline:
            others = [name for name in config.arms if name != config.baseline]
            raise ConfigError(
                f"--sweep={sweep}: an arm to sweep is one of {', '.join(others)}"
            )
        known = {*config.adversaries, *config.arms[arm]}
        if adversary not in known:
            raise ConfigError(
                f"--sweep={sweep}: the arm has no {adversary!r}; there are "
                f"{', '.join(sorted(known))}"
            )
        config.arms = ConfigDict(_arms(config, sweep, arm, adversary, values))
        if config.bundle.arm == arm:
            config.bundle.arm = ""
    return config.lock()


def _arms(
    config: ConfigDict, sweep: str, arm: str, adversary: str, values: str
) -> dict[str, dict]:
    arms: dict[str, dict] = {}
    for name, strengths in config.arms.items():
        if name != arm:
            arms[name] = strengths.to_dict()
            continue
        for value in values.split(","):
            try:
                strength = float(value)
            except ValueError:
                raise ConfigError(
                    f"--sweep={sweep}: {value.strip() or 'nothing'} is no number"
                ) from None
            # Names of a config have no dots.
            named = f"{arm}_{strength:g}".replace(".", "_")
            arms[named] = strengths.to_dict() | {adversary: strength}
    return arms
