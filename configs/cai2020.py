"""Emotion across languages without labels of the target language: Cai et al. 2020.

    dann-train --config=configs/cai2020.py:emotion --workdir=runs/cai2020 \
        --config.data.source=DIR

DIR is a feature table or a store of several languages, with a column `language`. The
variant is what is learned, one of `TASKS`: four emotions, or binary arousal or valence
made from them. `,inductive` after it lets training see nothing of the target, and
`,adapt` half of its speakers without labels, where the other half is scored; by default
it sees the tested rows without labels, as the paper does.

Every language trains and is tested by every other; all pairs and all arms are one
program. How source and target share the statistics of the batch normalisation is
`encoder.normalisation.name`, one of `models.normalisation.MODES`; features that are
standardised by language or by speaker, the rival, are `data.standardise_by`.

Reference: Cai et al., "Unsupervised Cross-Lingual Speech Emotion Recognition Using
Domain Adversarial Neural Network", ISCSLP 2021 (2012.11174).
"""

from ml_collections import ConfigDict

from dann_jax.experiment.config import FOUR, base_config

TASKS = {
    "emotion": ("emotion", FOUR),
    "arousal": ("binary_arousal", ("high", "low")),
    "valence": ("binary_valence", ("negative", "positive")),
}
POOLS = {"": ("test",), "inductive": (), "adapt": ("adapt",)}

PENALTIES = {
    "coral": "coral",
    "mmd": "mmd",
    "mcc": "mcc",
    "entropy": "entropy_minimisation",
}
"""Arm -> word of the penalty."""


def get_config(variant: str = "emotion") -> ConfigDict:
    """The experiment; the variant is one of `TASKS`, then maybe a comma and a pool."""
    task, _, pool = variant.partition(",")
    if task not in TASKS or pool not in POOLS:
        raise ValueError(
            f"unknown variant {variant!r}; there are {', '.join(TASKS)}, each alone or "
            f"with {' or '.join(f',{word}' for word in POOLS if word)}"
        )
    column, labels = TASKS[task]
    config = base_config()
    config.system = f"cross-lingual DANN, {task}"
    adapt_on = "speaker" if pool == "adapt" else ""
    # The emotions that all four languages have; others are in few of them.
    config.data.rows = ConfigDict({"emotion": FOUR})
    config.protocol.update(
        split="ordered_pairs",
        split_args=ConfigDict({"column": "language", "adapt_on": adapt_on}),
        labels=labels,
        label_column=column,
        unlabelled=POOLS[pool],
        disjoint=("speaker", "language"),
    )
    config.batches.batch_size = 64
    config.bundle.arm = "dann"
    config.encoder.normalisation.update(name="separate", column="language")
    # Without rows of the target there is one language only: then speakers are hidden.
    _set_arms(config, "language" if POOLS[pool] else "speaker", POOLS[pool])
    return config.lock()


def _set_arms(config: ConfigDict, column: str, pools: tuple[str, ...]) -> None:
    """Two adversaries over the column, and penalties on it; an arm for each."""
    rows = {"column": column, "unlabelled": pools}
    config.adversaries = ConfigDict(dict.fromkeys((column, "conditional"), rows))
    config.heads.conditional = ("conditional",)
    # What these penalties ask of the target needs rows of it.
    penalties = PENALTIES if pools else {}
    config.objective.penalties = ConfigDict(
        {arm: {"name": word, "on": column} for arm, word in penalties.items()}
    )
    config.arms = ConfigDict(
        {
            "source_only": {},
            "dann": {column: 0.3},
            "cdan": {"conditional": 0.3},
            **{arm: {arm: 1.0} for arm in penalties},
        }
    )
