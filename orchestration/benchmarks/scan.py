"""Reading the lake through the catalog, every byte checked, against reading the same bare files unchecked."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from data import ask, query
from data.ingest import ingest
from data.migrations import upgrade
from data.storage import Folder
from infra.local.embedded import embedded_postgres
from orchestration.benchmarks.contest import Contestant, Timed, alternate
from orchestration.benchmarks.market import BARS_A_SESSION, minutes

FIRST, LAST = date(2025, 1, 2), date(2025, 12, 31)
SYMBOLS: Final = 20
_AGGREGATE: Final = (
    "select symbol, count(*), avg(close), max(high), min(low), sum(volume) from {} "
    "group by symbol order by symbol"
)


def compare_scans(rounds: int = 15) -> Iterator[Timed]:
    """A symbol-year at once, and a year of twenty symbols summed up."""
    market, sessions = minutes(SYMBOLS * 250 * BARS_A_SESSION, SYMBOLS)
    names = market.symbols()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        url = stack.enter_context(embedded_postgres(folder / "postgres", durable=True)).url()
        upgrade(url)
        lake = Folder(folder / "lake")
        known: dict[str, Any] = {"source": market.name, "database_url": url, "storage": lake}
        ingest(
            market, names, FIRST, sessions[-1].day,
            storage=lake, database_url=url, with_candles=False,
        )  # fmt: skip
        paths = {path.parent.name: path for path in lake.root.rglob("*.parquet")}
        bare = duckdb.connect()
        files = ", ".join(f"'{path}'" for path in sorted(paths.values()))
        rows = pl.scan_parquet(list(paths.values())).select(pl.len()).collect().item()
        contest = f"a year of {SYMBOLS} symbols, summed up in SQL"
        contestants = [
            Contestant(
                "a symbol-year", "slipway, data.bars", lambda: query.bars(names[0], "1m", FIRST, LAST, **known),
                rows // SYMBOLS,
            ),
            Contestant(
                "a symbol-year", "polars.read_parquet", lambda: pl.read_parquet(paths[names[0]]), rows // SYMBOLS
            ),
            Contestant(
                contest, "slipway, data.sql",
                lambda: ask.sql(_AGGREGATE.format("bars"), names, "1m", FIRST, LAST, **known), rows,
            ),
            Contestant(
                contest, "DuckDB, read_parquet",
                lambda: bare.sql(_AGGREGATE.format(f"read_parquet([{files}])")).fetchall(), rows,
            ),
        ]  # fmt: skip
        ours = ask.sql(_AGGREGATE.format("bars"), names, "1m", FIRST, LAST, **known).rows()
        assert ours == bare.sql(_AGGREGATE.format(f"read_parquet([{files}])")).fetchall()
        yield from alternate(contestants, rounds)
        bare.close()
