"""How many sets a machine can hold: counted before a single one is made."""

import os
from typing import Final

from data.errors import UsageError

SET_BYTES: Final = 3_000
"""Of one set at its peak: the instance with its features, its tallies and block sums, its row.  Measured: 2.1 kB over
200,000 sets of two parameters with 16 blocks; tests/research/sweep/test_searches.py holds it to this."""


def refuse_too_many(count: int, what: str) -> None:
    """Refuse a search of so many sets that they alone would fill half of this machine's memory."""
    needed = count * SET_BYTES
    available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > available / 2:
        raise UsageError(
            f"{what} has {count:,} sets, which need {needed / 1e9:,.1f} GB, over half of this machine's memory",
            "Use larger steps, or try some of them: random_search(…) or guided(…).",
        )
