"""Arousal, valence and dominance on IEMOCAP: values in the place of classes.

    dann-train --config=configs/dimensions.py --workdir=runs/dimensions \
        --config.data.source=DIR

DIR is a feature table with the modalities and the ratings below (`activation` is what
IEMOCAP calls arousal). The network and its adversary are those of
`configs/lian2019.py`; three outputs predict the mean ratings, and the loss is one minus
their concordance correlation. Every session is tested in turn, and every rated
utterance of it, whatever emotion the raters named or could not agree on.

After Abdelwahab and Busso, "Domain Adversarial for Acoustic Emotion Recognition",
IEEE/ACM Transactions on Audio, Speech, and Language Processing 26 (2018), who hide
source from target and not the speaker; see docs/systems/dimensions.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config


def get_config() -> ConfigDict:
    """The experiment."""
    config = base_config()
    config.system = "dimensions"
    config.data.modalities = ("acoustic", "lexical")
    config.protocol.update(
        split_args=ConfigDict({"column": "session"}),
        labels=(),
        targets=("valence", "activation", "dominance"),
        unlabelled=("other", "test"),
        validation_column="dialogue",
    )
    config.objective = ConfigDict({"name": "ccc_regression"})
    config.arms.dann.speaker = 0.1
    config.batches.update(batch_size=15, num_buckets=4)
    config.encoder.update(width=64, context=True, own_heads=2, own_turns=True)
    config.timetable.checkpoint_every = 5
    return config.lock()
