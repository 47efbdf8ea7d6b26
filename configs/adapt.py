"""Adapt to recordings without labels; `dann-adapt` prepares them and runs this.

    dann-adapt --data.source=data/emodb --to=my_recordings/ --workdir=runs/mine

or, of two prepared stores whose features were made in the same way,

    dann-train --config=adapt --workdir=runs/mine \
        --config.data.source=data/emodb --config.data.target=data/mine

The arms differ in what they do with the recordings: nothing, a speaker adversary,
minimum class confusion, and both. What can be said of them without labels, and what
not, is in docs/adaptation.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config


def get_config() -> ConfigDict:
    """Four arms, five rehearsals on the source, three seeds."""
    config = base_config()
    config.system = "adaptation"
    # All the classes of the source.
    config.protocol.labels = ()
    config.protocol.split = "adapt"
    config.protocol.split_args = ConfigDict(
        {
            "column": "side",
            "source": ("source",),
            "target": ("target",),
            "group": "speaker",
            "folds": 5,
            "score_target": False,
        }
    )
    # Held-out speakers of a rehearsal are treated as those of the target are.
    config.protocol.unlabelled = ("test", "adapt")
    config.adversaries.speaker.unlabelled = ("test", "adapt")
    config.objective.penalties = ConfigDict({"mcc": {"on": "speaker"}})
    config.arms = ConfigDict(
        {
            "source_only": {},
            "dann": {"speaker": 0.3},
            "mcc": {"mcc": 1.0},
            "dann_mcc": {"speaker": 0.3, "mcc": 1.0},
        }
    )
    return config.lock()
