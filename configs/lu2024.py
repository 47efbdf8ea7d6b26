"""Dynamic joint distribution adaptation: every speaker is a domain.

Lu et al., "Improving Speaker-Independent Speech Emotion Recognition Using Dynamic Joint
Distribution Adaptation", ICASSP 2024 (arXiv 2401.09752). A re-implementation from the
published description; what it leaves open is a key below.

    dann-train --config=configs/lu2024.py:emodb --workdir=runs/lu2024 \
        --config.data.source=DIR

DIR is a feature table or store of the corpus that the variant names: `emodb` (4
emotions), `emovo` (7) or `ravdess` (8). The tested speaker is one more domain, whose
rows have pseudo-labels. The arms are the marginal term alone, the conditional one
alone, both in equal parts, and both by the dynamic balance. Figures are in
docs/systems/lu2024.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import EIGHT, FOUR, SEVEN, unseen_speakers

# Few speakers are left out one by one, many in groups.
VARIANTS = {"emodb": (FOUR, 0), "emovo": (SEVEN, 0), "ravdess": (EIGHT, 6)}

# The balance that an arm keeps; `dynamic` is the system.
FIXED = {"marginal": 0.0, "conditional": 1.0, "equal": 0.5}


def get_config(variant: str = "emodb") -> ConfigDict:
    """The experiment on one of `VARIANTS`."""
    if variant not in VARIANTS:
        raise ValueError(
            f"unknown variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    labels, groups = VARIANTS[variant]
    config = unseen_speakers(labels, groups)
    config.system = "lu2024"
    config.data.modalities = ("functionals",)
    arms = (*FIXED, "dynamic")
    speaker = {"column": "speaker", "unlabelled": ("test",)}
    config.adversaries = ConfigDict(dict.fromkeys(arms, speaker))
    config.arms = ConfigDict(
        {"source_only": {}, **{name: {name: 1.0} for name in arms}}
    )
    config.objective = ConfigDict(
        {"name": "dynamic_joint", "fixed": FIXED, "refresh_epochs": 1}
    )
    # Discrepancies have no heads to learn.
    config.heads.domain_hidden = ()
    # A batch must hold several rows of each speaker and class.
    config.batches.update(batch_size=128, num_buckets=1)
    config.timetable.epochs = 60
    return config.lock()
