"""Speaker-invariant emotion recognition by TDNN, LSTM and statistics pooling.

Tu et al., "Towards adversarial learning of speaker-invariant representation for speech
emotion recognition" (arXiv 1903.09606, 2019). A re-implementation from the
published description, with both of its strategies.

    dann-train --config=configs/tu2019.py:emodb --workdir=runs/tu2019-emodb \
        --config.data.source=DIR
    dann-train --config=configs/tu2019.py:emodb-crossgrad \
        --workdir=runs/tu2019-emodb-crossgrad --config.data.source=DIR

DIR is a feature table with `logmel` frames. The variant names the corpus (`emodb`,
`ravdess`, `emovo`) and, with `-crossgrad`, cross-gradient training in the place of the
adversary. Of the tested speakers training sees nothing. Figures are in
docs/systems/tu2019.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import EIGHT, FOUR, SEVEN, unseen_speakers

# Labels, and in how many groups speakers are left out: 0 is one by one.
CORPORA = {"emodb": (FOUR, 5), "ravdess": (EIGHT, 6), "emovo": (SEVEN, 0)}


def get_config(variant: str = "emodb") -> ConfigDict:
    """The experiment on one of `CORPORA`, by either strategy."""
    corpus = variant.removesuffix("-crossgrad")
    if corpus not in CORPORA:
        raise ValueError(
            f"unknown variant {variant!r}; choose from {', '.join(CORPORA)}, each also "
            f"with '-crossgrad'"
        )
    labels, groups = CORPORA[corpus]
    config = unseen_speakers(labels, groups)
    config.system = "tu2019"
    config.data.modalities = ("logmel",)
    config.protocol.unlabelled = ()
    config.adversaries.speaker.unlabelled = ()
    config.batches.update(batch_size=16, num_buckets=2, max_frames=160)
    config.encoder.frames = ConfigDict(
        {
            "name": "tdnn_lstm",
            "width": 32,
            "kernels": (5, 3, 3),
            "dilations": (1, 2, 3),
            "stride": 3,
            "dropout": 0.2,
        }
    )
    config.timetable.epochs = 40
    config.encoder.augmentation.update(time_mask=0.2, feature_mask=0.2, gain=0.5)
    return (_cross_gradient(config) if variant != corpus else config).lock()


def _cross_gradient(config: ConfigDict) -> ConfigDict:
    """The strength scales the share of the moved inputs: 1 is the published half."""
    config.system = "tu2019 cross-gradient"
    config.arms = ConfigDict({"source_only": {}, "crossgrad": {"speaker": 1.0}})
    config.objective = ConfigDict(
        {"name": "cross_gradient", "share": 0.5, "epsilon": 1.0, "limit": 0.1}
    )
    config.strength.name = "constant"
    return config
