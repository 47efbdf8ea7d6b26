"""Acted and improvised speech: reversal, confusion and soft labels in one objective.

Li, Kim, Kuo and Narayanan, "Acted vs. Improvised: Domain Adaptation for Elicitation
Approaches in Audio-Visual Emotion Recognition", Interspeech 2021 (arXiv 2104.01978). A
re-implementation from the published description; what it leaves open is a key below.

    dann-train --config=configs/li2021.py:script-impro --workdir=runs/li2021 \
        --config.data.source=DIR

DIR is a feature table of IEMOCAP with a column `style`. The variant says from which
style to which; `impro-script` is the way back. Scripted rows of four sessions are
labelled, improvised rows of these sessions are used without labels but for ten of each
class, and improvised rows of the fifth session are scored. Every modality of DIR is a
stream: with a visual array in it, name it in `data.modalities`. Figures are in
docs/systems/li2021.md.
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import base_config

VARIANTS = {"script-impro": ("script", "impro"), "impro-script": ("impro", "script")}
TARGET = 1


def get_config(variant: str = "script-impro") -> ConfigDict:
    """The experiment from one style to the other."""
    if variant not in VARIANTS:
        raise ValueError(
            f"unknown variant {variant!r}; choose from {', '.join(VARIANTS)}"
        )
    source, target = VARIANTS[variant]
    config = base_config()
    config.system = f"li2021, {source} to {target}"
    config.data.modalities = ("acoustic", "lexical")
    config.protocol.update(
        split_args=ConfigDict(
            {
                "column": "session",
                "train": {"style": (source,)},
                "test": {"style": (target,)},
            }
        ),
        unlabelled=("adapt",),
        labelled_target=10,
        disjoint=("speaker", "session"),
    )
    config.adversaries = ConfigDict(
        {"elicitation": {"column": "side", "unlabelled": ("adapt",)}}
    )
    config.objective = ConfigDict(
        {
            "name": "confusion",
            "on": "elicitation",
            # The strength of the adversary itself is that of the reversal.
            "reversal": 1.0,
            "penalties": {"soft_labels": {"on": "elicitation", "target": TARGET}},
        }
    )
    config.arms = ConfigDict(
        {
            # The few labelled rows of the target are labels like any other.
            "source_only": {},
            "reversal": {"elicitation": 0.3},
            "confusion": {"confusion": 0.3},
            "soft_labels": {"soft_labels": 1.0},
            "all": {"elicitation": 0.3, "confusion": 0.3, "soft_labels": 1.0},
        }
    )
    # A batch is of dialogues, although each utterance stands alone.
    config.batches.update(batch_size=15, num_buckets=2)
    return config.lock()
