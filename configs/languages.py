"""Every language to every other: the N x N table, all pairs trained as one program.

    dann-train --config=configs/languages.py --workdir=runs/languages \
        --config.data.source=DIR

DIR is a store of several corpora with a column `language` (see `dann-prepare`). The
variants say what training may see of the target: all of it without labels
(transductive, the default), `inductive` nothing, or `adapt` half of its speakers,
where the other half is scored.
"""

from ml_collections import ConfigDict

from dann_jax.defaults import base_config

POOLS = {"": ("test",), "inductive": (), "adapt": ("adapt",)}


def get_config(variant: str = "") -> ConfigDict:
    """The experiment; the variant is one of `POOLS`."""
    if variant not in POOLS:
        raise ValueError(
            f"unknown variant {variant!r}; there are {', '.join(filter(None, POOLS))}"
        )
    pools = POOLS[variant]
    config = base_config()
    config.system = "language-adversarial network"
    adapt_on = "speaker" if variant == "adapt" else ""
    config.protocol.update(
        name="every language to every other",
        split="ordered_pairs",
        split_args=ConfigDict({"column": "language", "adapt_on": adapt_on}),
        unlabelled=pools,
        disjoint=("speaker", "language"),
    )
    # Without rows of the target there is one language only: then speakers are hidden.
    column = "language" if pools else "speaker"
    config.adversaries = ConfigDict({column: {"column": column, "unlabelled": pools}})
    config.arms.dann = ConfigDict({column: 0.3})
    return config.lock()
