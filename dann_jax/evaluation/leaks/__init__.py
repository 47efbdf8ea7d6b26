"""Known leaks, put in on purpose, to measure what each is worth.

Each function takes something honest and returns its leaky twin, which differs in the
leak alone: as many rows of each class are labelled. The twin's protocol names the leak
in `allowed_leaks`, so that every table says so. Nothing here goes round a guard of
`protocols`: where the leak is a shared column, `require_disjoint` finds it.
`benchmarks/leaks.py` runs them; docs/leaks.md has what it found.
"""

from dann_jax.evaluation.leaks.fitting import normalise_over_all as normalise_over_all
from dann_jax.evaluation.leaks.fitting import select_on_test as select_on_test
from dann_jax.evaluation.leaks.names import LEAKS as LEAKS
from dann_jax.evaluation.leaks.seen import balance_source as balance_source
from dann_jax.evaluation.leaks.seen import balance_target as balance_target
from dann_jax.evaluation.leaks.seen import thin_target as thin_target
from dann_jax.evaluation.leaks.splits import (
    duplicate_recordings as duplicate_recordings,
)
from dann_jax.evaluation.leaks.splits import share_speakers as share_speakers
from dann_jax.evaluation.leaks.texts import disjoint_texts as disjoint_texts
from dann_jax.evaluation.leaks.texts import every_text as every_text
from dann_jax.evaluation.leaks.texts import share_texts as share_texts
