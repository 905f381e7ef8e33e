"""The trial ledger: how many parameter sets of a strategy family were ever tried, and how their Sharpe ratios scatter.

The best of many tries looks good by chance; how good, depends on how many there were and how much they differed.  A set
is one parameter set of one source on one content of bars: tried again there it is not counted again, on other bars it
is, for that was another chance to be lucky.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import blake3
import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.rows import DictRow

from data.postgres import one

SET_HASH_BYTES: Final = 8  # of a million sets on the same bars, two meet with a probability of 3e-8


@dataclass(frozen=True, slots=True)
class Moments:
    """How annualised Sharpe ratios scatter; `variance` is that of the sample, None below two."""

    count: int
    best: float | None
    mean: float | None
    variance: float | None

    @classmethod
    def of(cls, sharpes: Iterable[float | None]) -> "Moments":
        """Of those that exist."""
        kept = np.array(
            [each for each in sharpes if each is not None and math.isfinite(each)], dtype=np.float64
        )
        if not kept.size:
            return cls(0, None, None, None)
        variance = float(kept.var(ddof=1)) if kept.size > 1 else None
        return cls(kept.size, float(kept.max()), float(kept.mean()), variance)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one run adds to the ledger."""

    family: str
    run_id: str
    bars_hash: str
    sets: NDArray[np.int64]
    """hashes, see `set_hashes`"""
    sharpes: Moments
    bars_per_year: float
    symbols: Sequence[str]
    timeframe: str | None
    snapshot: int | None
    first: date
    last: date
    who: str
    where_from: str


@dataclass(frozen=True, slots=True)
class Count:
    """How much was tried."""

    sets: int
    """parameter sets, each once for each content of bars it was tried on"""
    parameter_sets: int
    """the same, each once whatever it was tried on"""


def set_hashes(source: str, rows: Iterable[Sequence[Any]]) -> NDArray[np.int64]:
    """Parameter sets as numbers; `source` tells one writing of the strategy and its parameters from another."""
    digests = bytearray()
    for row in rows:
        digests += blake3.blake3(f"{source}{tuple(row)!r}".encode()).digest(SET_HASH_BYTES)
    return np.frombuffer(bytes(digests), dtype="<i8").astype(np.int64)


def enter(connection: Connection[DictRow], entry: Entry) -> int:
    """Add a run's entry in the caller's transaction, once; returns how many sets were new on these bars.

    The caller holds the family's lock, so that two writers never wait for each other's sets.
    """
    known = connection.execute("select from trials where run_id = %s", [entry.run_id]).fetchone()
    if known is not None:
        return 0
    asked = {"family": entry.family, "bars_hash": entry.bars_hash}
    connection.execute(
        "insert into trial_series (family, bars_hash) values (%(family)s, %(bars_hash)s) on conflict do nothing",
        asked,
    )
    series = one(
        connection.execute(
            "select id from trial_series where family = %(family)s and bars_hash = %(bars_hash)s", asked
        )
    )["id"]
    new_sets = connection.execute(
        "insert into trial_sets select %s, unnest(%s::bigint[]) on conflict do nothing",
        [series, entry.sets.tolist()],
    ).rowcount
    connection.execute(
        """
        insert into trials (family, run_id, series_id, sets, new_sets, sharpes, best_sharpe, mean_sharpe,
                            sharpe_variance, bars_per_year, symbols, timeframe, snapshot, first_session, last_session,
                            who, where_from)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        [
            entry.family, entry.run_id, series, len(entry.sets), new_sets, entry.sharpes.count, entry.sharpes.best,
            entry.sharpes.mean, entry.sharpes.variance, entry.bars_per_year, list(entry.symbols), entry.timeframe,
            entry.snapshot, entry.first, entry.last, entry.who, entry.where_from,
        ],
    )  # fmt: skip
    return new_sets


def entries(connection: Connection[DictRow], family: str | None = None) -> list[dict[str, Any]]:
    """The ledger of a family, or all of it, in the order in which it was written."""
    return connection.execute(
        """
        select t.family, t.run_id, r.kind, t.at, t.sets, t.new_sets, t.sharpes, t.best_sharpe, t.mean_sharpe,
               t.sharpe_variance, t.best_sharpe_bar, t.mean_sharpe_bar, t.sharpe_variance_bar, t.bars_per_year,
               t.symbols, t.timeframe, t.first_session as first, t.last_session as last, t.snapshot, t.who, t.where_from
        from trials t join research_runs r on r.id = t.run_id
        where %(family)s::text is null or t.family = %(family)s order by t.id
        """,
        {"family": family},
    ).fetchall()


def count(connection: Connection[DictRow], family: str | None = None) -> Count:
    """How many sets were tried, none of them counted twice."""
    row = one(
        connection.execute(
            """
            select count(*) as sets, count(distinct (s.family, t.set_hash)) as parameter_sets
            from trial_series s join trial_sets t on t.series_id = s.id
            where %(family)s::text is null or s.family = %(family)s
            """,
            {"family": family},
        )
    )
    return Count(row["sets"], row["parameter_sets"])


def pooled(parts: Iterable[Moments]) -> Moments:
    """The moments of all Sharpe ratios together, from those of each entry: what one pass over all of them would give.

    With n, m and v the count, mean and sample variance of an entry, N the sum of n and M the mean weighted by n:
    variance = (sum of (n - 1) v + n (m - M)²) / (N - 1).  Sets that several runs tried weigh as often as they were run.
    """
    kept = [part for part in parts if part.count and part.mean is not None and part.best is not None]
    number = sum(part.count for part in kept)
    if not number:
        return Moments(0, None, None, None)
    best = max(part.best for part in kept if part.best is not None)
    mean = math.fsum(part.count * part.mean for part in kept if part.mean is not None) / number
    scatter = math.fsum(
        (part.count - 1) * (part.variance or 0.0) + part.count * (part.mean - mean) ** 2
        for part in kept
        if part.mean is not None
    )
    return Moments(number, best, mean, scatter / (number - 1) if number > 1 else None)
