"""Speech emotion recognition on speakers outside of the training, from audio features.

    dann-prepare --corpus=emodb --source=DIR --features=functionals --data_dir=DATA
    dann-train --config=configs/speakers.py:emodb --workdir=runs/emodb \
        --config.data.source=DATA/emodb

The variant names the corpus: `emodb` (4 emotions), `ravdess` (8), `emovo` (7) or `urdu`
(4). Each speaker is tested by a network that was trained on others; the tested rows are
seen without their labels. Figures are in docs/results.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import EIGHT, FOUR, SEVEN, unseen_speakers

# Few speakers are left out one by one, many in groups.
VARIANTS = {
    "emodb": (FOUR, 0),
    "ravdess": (EIGHT, 6),
    "emovo": (SEVEN, 0),
    "urdu": (FOUR, 5),
}


def get_config(variant: str = "emodb") -> ConfigDict:
    """The experiment on one of `VARIANTS`."""
    if variant not in VARIANTS:
        raise ValueError(
            f"unknown variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    labels, groups = VARIANTS[variant]
    config = unseen_speakers(labels, groups)
    config.system = "speaker-adversarial network"
    # The cautious one is for corpora whose speakers show few of the emotions each.
    config.arms = ConfigDict(
        {"source_only": {}, "cautious": {"speaker": 0.1}, "dann": {"speaker": 0.3}}
    )
    if variant == "urdu":
        # Few recordings, most of a speaker in one emotion: learn slowly, hide little.
        config.encoder.update(width=128, dropout=0.5)
        config.heads.head_dropout = 0.5
        config.optimizer.learning_rate = 1e-3
        config.arms = ConfigDict({"source_only": {}, "dann": {"speaker": 0.02}})
    return config.lock()
