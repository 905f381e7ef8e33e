"""A database that is in use is brought forward with all that it holds."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

import data
from data import candles, catalog, lake
from data.ingest import ingest
from data.migrations import upgrade
from data.postgres import connect
from data.settings import get_settings
from data.sources.synthetic import SyntheticMarket
from data.storage import Folder
from infra.local.embedded import embedded_postgres

DAY = date(2026, 9, 30)


def minutes() -> pl.DataFrame:
    start, end = datetime(2026, 9, 30, tzinfo=UTC), datetime(2026, 10, 1, tzinfo=UTC)
    return SyntheticMarket().history(["AAA"], start, end, "1m")


@pytest.mark.full
def test_a_lake_of_the_first_schema_is_read_and_continued(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = minutes()
    key = "bars/synthetic/1m/AAA/2026/09/30-1.parquet"
    content = lake.encode(bars, "AAA")
    Folder(state_dir / "lake").put_new(key, content)
    with embedded_postgres(tmp_path / "postgres", durable=False) as cluster:
        upgrade(cluster.url(), "0001")
        with connect(cluster.url()) as connection:
            connection.execute("insert into snapshots (note) values ('then')")
            connection.execute(
                "insert into catalog (dataset, symbol, session, revision, path, rows, min_ts_utc, max_ts_utc, sha256, "
                "quality, source, since) values ('bars/synthetic/1m', 'AAA', %s, 1, %s, %s, %s, %s, %s, 'passed', "
                "'synthetic', 1)",
                [DAY, key, bars.height, bars["ts_utc"][0], bars["ts_utc"][-1], lake.sha256(content)],
            )
            connection.execute("create table candles_2026_09 partition of candles default")
            with connection.cursor() as cursor:
                cursor.executemany(
                    "insert into candles values ('synthetic', '1m', 'AAA', %s, %s, %s, %s, %s, %s)",
                    bars.select("ts_utc", "open", "high", "low", "close", "volume").rows(),
                )
        upgrade(cluster.url())
        monkeypatch.setenv("SLIPWAY_DATABASE_URL", cluster.url())
        get_settings.cache_clear()
        assert data.bars("AAA", as_of=1).equals(bars)
        assert ingest(SyntheticMarket(), ["AAA"], DAY, DAY).unchanged == 1
        assert ingest(SyntheticMarket(), ["AAA", "BBB"], date(2026, 9, 29), DAY).published == 3
        with connect() as connection:
            charted = candles.query(
                connection, "synthetic", "1m", "AAA", bars["ts_utc"][0], datetime(2026, 10, 1, tzinfo=UTC)
            )
            shown = catalog.partitions(connection, "bars/synthetic/1m", ["AAA"])
        assert [row["close"] for row in charted] == bars["close"].to_list()
        assert [(each.session, each.revision) for each in shown] == [(date(2026, 9, 29), 1), (DAY, 1)]
