"""What hiding the speaker is worth, beside what does without an adversary: the study.

    dann-train --config=adversary:emovo --workdir=runs/emovo \
        --config.data.source=DATA/emovo

The variant is a corpus: `emodb`, `ravdess`, `emovo` or `urdu`, whose speakers are left
out, or `languages`, whose four languages are left out one after another and hidden in
the place of speakers. `,inductive` after it shows training nothing of the tested rows.
All arms are one program with the same folds and seeds, so that every difference is
paired. `,heads` after all else has the two arms whose adversaries are given the class,
with source-only again: their heads would cost every other arm as much. docs/study.md
has the question, the protocol and the table; all of its runs are made by
`python -m benchmarks.studies.adversary`.
"""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from dann_jax.experiment.config import EIGHT, FOUR, SEVEN, unseen_speakers

# As in configs/speakers.py: few speakers are left out one by one, many in groups.
CORPORA = {
    "emodb": (FOUR, 0),
    "ravdess": (EIGHT, 6),
    "emovo": (SEVEN, 0),
    "urdu": (FOUR, 5),
    "languages": (FOUR, 0),
}
STRENGTHS = {"dann_0_1": 0.1, "dann": 0.3, "dann_1": 1.0}


VARIANTS = ("inductive", "heads")


def get_config(variant: str = "emovo") -> ConfigDict:
    """The arms of the study on one of `CORPORA`."""
    corpus, *words = variant.split(",")
    if corpus not in CORPORA or [w for w in VARIANTS if w in words] != words:
        raise ValueError(
            f"unknown variant {variant!r}; there are {', '.join(CORPORA)}, each alone "
            f"or with ,inductive or ,heads or ,inductive,heads"
        )
    labels, groups = CORPORA[corpus]
    config = unseen_speakers(labels, groups)
    config.system = f"adversary study, {variant}"
    config.seeds = 5
    domain = "speaker"
    if corpus == "languages":
        # Without rows of the tested language, three are left to be told apart.
        domain = "language"
        config.data.rows = ConfigDict({"emotion": FOUR})
        config.protocol.split_args.column = domain
        config.protocol.disjoint = ("speaker", domain)
    pools = () if "inductive" in words else ("test",)
    config.protocol.unlabelled = pools
    rows = {"column": domain, "unlabelled": pools}
    if "heads" in words:
        _given_the_class(config, rows)
    else:
        _strengths_and_penalties(config, domain, rows)
    # Whether the domain can still be found, and nothing else.
    config.analysis.update(columns=(domain,), maps=())
    config.timetable.update(evaluate_every=10, gradients_every=0)
    return config.lock()


def _strengths_and_penalties(
    config: ConfigDict, domain: str, rows: Mapping[str, Any]
) -> None:
    config.adversaries = ConfigDict({domain: rows})
    # Class confusion is that of unlabelled rows: without them there is none.
    penalties = ("mmd", "coral", "mcc") if rows["unlabelled"] else ("mmd", "coral")
    config.objective.penalties = ConfigDict(
        {name: {"on": domain, "skip_idle": True} for name in penalties}
    )
    config.arms = ConfigDict(
        {
            "source_only": {},
            **{arm: {domain: strength} for arm, strength in STRENGTHS.items()},
            "mmd": {"mmd": 1.0},
            # Of unknown scale: two strengths.
            "coral_1": {"coral": 1.0},
            "coral_10": {"coral": 10.0},
        }
    )
    if "mcc" in penalties:
        config.arms.mcc = ConfigDict({"mcc": 1.0})
        config.arms.dann_mcc = ConfigDict({domain: STRENGTHS["dann"], "mcc": 1.0})


def _given_the_class(config: ConfigDict, rows: Mapping[str, Any]) -> None:
    """Two adversaries over the same domains, of the strength of the arm `dann`."""
    config.adversaries = ConfigDict(dict.fromkeys(("cdan_e", "class_wise"), rows))
    config.heads.conditional = ("cdan_e",)
    config.heads.class_wise = ("class_wise",)
    config.objective = ConfigDict(
        {
            "name": "class_wise_dann",
            "label_smoothing": 0.0,
            "certainty": ("cdan_e",),
            "unlabelled": bool(rows["unlabelled"]),
        }
    )
    arms = {name: {name: STRENGTHS["dann"]} for name in config.adversaries}
    config.arms = ConfigDict({"source_only": {}, **arms})
