"""Known leaks, put in on purpose, to measure what each is worth.

Each function takes something honest and returns its leaky variant, which differs in the
leak alone: as many rows of each class are labelled. The leaky protocol names the leak
in `allowed_leaks`, so that every table says so. Nothing here goes round a guard of
`protocols`: where the leak is a shared column, `require_disjoint` finds it.
`benchmarks/leaks.py` runs them; docs/leaks.md has what it found.
"""

from benchmarks.studies.leaks.fitting import normalise_over_all as normalise_over_all
from benchmarks.studies.leaks.fitting import select_on_test as select_on_test
from benchmarks.studies.leaks.names import LEAKS as LEAKS
from benchmarks.studies.leaks.seen import balance_source as balance_source
from benchmarks.studies.leaks.seen import balance_target as balance_target
from benchmarks.studies.leaks.seen import subsample_target as subsample_target
from benchmarks.studies.leaks.splits import (
    duplicate_recordings as duplicate_recordings,
)
from benchmarks.studies.leaks.splits import share_speakers as share_speakers
from benchmarks.studies.leaks.texts import disjoint_texts as disjoint_texts
from benchmarks.studies.leaks.texts import every_text as every_text
from benchmarks.studies.leaks.texts import share_texts as share_texts
