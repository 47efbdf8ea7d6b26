"""Speech emotion recognition for new people, on any corpus of utterances.

    dann-prepare --corpus=NAME --source=DIR --features=pretrained --data_dir=DATA
    dann-train --config=recommended --workdir=runs/mine --config.data.source=DATA/NAME

Speakers are left out one by one, or in ten groups where there are more than ten. In
every fold the training speakers choose among the candidates below: some of them are
held out in turn, as the tested ones are, and what serves them best is taken. The run
ends with the score of what was chosen, a bundle for new people, and two sentences on
which it is and why. Classes are the emotions that at least two training speakers of
every fold have. docs/choosing.md says how it is done.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config

SETTINGS = {"data": {"standardise_by": ("", "speaker")}}
"""What is compared, with each of the arms; the plainest first."""


def get_config() -> ConfigDict:
    """The experiment."""
    config = base_config()
    config.system = "recommended"
    config.protocol.update(
        split="group_k_fold",
        split_args=ConfigDict({"column": "speaker", "k": 10, "at_most": True}),
        labels=(),
        label_speakers=2,
    )
    # As good as z with many clips of a person, and no worse than nothing with few.
    config.data.standardise_kind = "shrunk"
    config.objective.penalties = ConfigDict({"mcc": {"on": "speaker"}})
    config.arms = ConfigDict(
        {
            "source_only": {},
            "dann": {"speaker": 0.3},
            "mcc": {"mcc": 1.0},
            "dann_mcc": {"speaker": 0.3, "mcc": 1.0},
        }
    )
    config.choose.update(
        folds=5, seeds=1, rule="plainest", settings=ConfigDict(SETTINGS)
    )
    return config.lock()
