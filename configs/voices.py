"""The embedded default: made-up voices, from sound to a table; no files are needed.

    dann-train --workdir=runs/voices

Six people who do not exist speak in four emotions through six microphones. Their
recordings are written and prepared once, into the cache of the user; then each speaker
is left out in turn: source-only against a speaker adversary, three seeds, about a
minute on two cores.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config


def get_config() -> ConfigDict:
    """The experiment."""
    config = base_config()
    config.system = "speaker-adversarial network"
    config.data.source = "voices"
    config.encoder.update(width=32, dropout=0.2)
    config.heads.update(domain_hidden=(32,), head_dropout=0.2)
    config.optimizer.learning_rate = 1e-2
    config.timetable.epochs = 60
    return config.lock()
