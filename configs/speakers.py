"""Speech emotion recognition on speakers outside of the training, from audio features.

    dann-prepare --corpus=emodb --source=DIR --features=functionals --data_dir=DATA
    dann-train --config=configs/speakers.py:emodb --workdir=runs/emodb \
        --config.data.source=DATA/emodb

The variant names the corpus: `emodb` (4 emotions), `ravdess` (8), `emovo` (7) or `urdu`
(4). Each speaker is tested by a network that was trained on others; the tested rows are
seen without their labels. Figures are in docs/results.md.

Other folds follow a comma, or stand alone for a corpus of one's own, whose emotions are
then the classes: `groups=5` leaves speakers out in five groups, `folds=COLUMN` leaves
out the values of a column in turn, such as `speakers:folds=session` or
`speakers:ravdess,groups=4`. No speaker is both labelled and tested.
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
    """The experiment on one of `VARIANTS`, with other folds if any are named."""
    corpus, _, folds = variant.partition(",")
    if "=" in corpus:
        corpus, folds = "", variant
    if corpus not in ("", *VARIANTS):
        raise ValueError(
            f"unknown variant {corpus!r}; choose from {', '.join(VARIANTS)}, or name "
            f"folds: groups=5, or folds=COLUMN"
        )
    labels, groups = VARIANTS.get(corpus, ((), 0))
    config = unseen_speakers(labels, groups)
    if folds:
        _divide(config, folds)
    config.system = "speaker-adversarial network"
    # The cautious one is for corpora whose speakers show few of the emotions each.
    config.arms = ConfigDict(
        {"source_only": {}, "cautious": {"speaker": 0.1}, "dann": {"speaker": 0.3}}
    )
    if corpus == "urdu":
        # Few recordings, most of a speaker in one emotion: learn slowly, hide little.
        config.encoder.update(width=128, dropout=0.5)
        config.heads.head_dropout = 0.5
        config.optimizer.learning_rate = 1e-3
        config.arms = ConfigDict({"source_only": {}, "dann": {"speaker": 0.02}})
    return config.lock()


def _divide(config: ConfigDict, folds: str) -> None:
    """Folds by `groups=K`, or by the values of a column of the corpus."""
    name, _, count = folds.partition("=")
    if name == "folds" and count:
        split, arguments = "leave_one_out", {"column": count}
    elif name == "groups" and count.isdecimal() and int(count) > 1:
        split, arguments = "group_k_fold", {"column": "speaker", "k": int(count)}
    else:
        raise ValueError(
            f"folds are groups=K of 2 or more, or folds=COLUMN, not {folds!r}; corpora "
            f"are {', '.join(VARIANTS)}"
        )
    config.protocol.split = split
    # In the place of those of the corpus, not beside them.
    config.protocol.split_args = ConfigDict(arguments)
