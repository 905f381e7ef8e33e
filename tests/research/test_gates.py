"""The parity gate is true: it passes what both runtimes compute alike, and fails what they do not."""

import io
from datetime import date

import msgspec
import polars as pl
import pytest

from data import actions, artifacts, registry
from data.catalog import newest_snapshot
from data.errors import Refused
from data.ingest import ingest
from data.instruments import ACTION_SCHEMA
from data.postgres import connect
from data.registry import Version
from data.sources import source
from execution.strategy import CostModel, Feature, Rule, Strategy, price, vectorised
from research.gates import measure_parity
from research.publish import publish
from research.records import Record, again
from research.strategies.crossover import Crossover
from research.strategies.momentum import Momentum

FIRST, LAST = date(2025, 11, 20), date(2025, 11, 26)
SYMBOLS = ["AAA", "CCC"]

pytestmark = [pytest.mark.usefixtures("database_url"), pytest.mark.full]


def published(**params: int) -> Version:
    ingest(source("synthetic"), SYMBOLS, FIRST, LAST)
    return publish(Crossover(**params), SYMBOLS, FIRST, LAST, capital=200_000.0)[0]


def with_other_orders(version: Version, change: pl.Expr) -> Version:
    """The same artifact, validly signed, claiming that research had sent other orders."""
    loaded = artifacts.load(version.artifact_hash)
    orders = pl.read_parquet(io.BytesIO(loaded.files["backtest/orders.parquet"])).with_columns(change)
    sink = io.BytesIO()
    orders.write_parquet(sink)
    files = {**loaded.files, "backtest/orders.parquet": sink.getvalue()}
    digest = artifacts.publish(msgspec.structs.replace(loaded.manifest, author="forger"), files)
    with connect() as connection:
        return registry.register(connection, artifacts.load(digest))


def promote(version: Version) -> Version:
    with connect() as connection:
        return registry.promote(connection, version, "paper", actor="test", reason="test")


def test_the_same_inputs_give_the_same_artifact_and_others_another() -> None:
    first = published(fast=5, slow=20)
    assert published(fast=5, slow=20).artifact_hash == first.artifact_hash
    assert published(fast=6, slow=20).artifact_hash != first.artifact_hash


def test_what_is_published_is_on_record_and_comes_out_of_it_again() -> None:
    ingest(source("synthetic"), SYMBOLS, FIRST, LAST)
    done = publish(Crossover(fast=5, slow=20), SYMBOLS, FIRST, LAST, capital=200_000.0)[1]
    assert isinstance(done.record, Record)
    assert again(done.record.run).identical


def test_a_strategy_that_both_runtimes_compute_alike_passes_and_may_trade() -> None:
    version = published(fast=5, slow=20)
    parity = measure_parity(version)
    assert parity.holds
    assert parity.matched == parity.research_orders > 50
    assert promote(version).stage == "paper"


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ((pl.col("qty") + (pl.int_range(pl.len()) == 7)).alias("qty"), "quantity"),
        ((pl.col("fill_price") * (1 + 1e-15)).alias("fill_price"), "price"),
        (pl.col("bar_ts_utc").dt.offset_by("1m").alias("bar_ts_utc"), "missing"),
    ],
)
def test_research_that_execution_would_not_repeat_fails_and_may_not_trade(
    change: pl.Expr, cause: str
) -> None:
    version = with_other_orders(published(fast=5, slow=20), change)
    parity = measure_parity(version)
    assert not parity.holds
    assert cause in parity.differences["cause"].to_list()
    with pytest.raises(Refused, match="the gate parity failed"):
        promote(version)


def smoothed(close):  # type: ignore[no-untyped-def]
    return close


class Explored(Strategy):
    """Reads a function over whole columns."""

    def features(self) -> dict[str, Feature]:
        return {"close": price("close"), "smooth": vectorised(smoothed, "close", lookback=5)}

    @staticmethod
    def decide(x):  # type: ignore[no-untyped-def]
        return 1.0 if x.close > x.smooth else 0.0


@pytest.mark.parametrize(
    ("made", "costs", "why"),
    [
        (Explored(), CostModel(), "Explored reads smooth, made by a function over whole columns"),
        (Crossover(), CostModel(borrow_bps=30.0), "neither borrow fees nor interest"),
    ],
)
def test_what_execution_would_not_trade_as_researched_is_not_published(
    made: Rule, costs: CostModel, why: str
) -> None:
    with pytest.raises(Refused, match=why):
        publish(made, SYMBOLS, FIRST, LAST, capital=200_000.0, costs=costs)


def test_a_portfolio_is_published_and_its_parity_holds() -> None:
    ingest(source("synthetic"), SYMBOLS, FIRST, LAST)
    version, done = publish(Momentum(lookback=30, hold=1, top=1), SYMBOLS, FIRST, LAST, capital=200_000.0)
    assert done.orders.height >= 3
    assert measure_parity(version).holds
    assert promote(version).stage == "paper"


@pytest.mark.parametrize(("kind", "ratio", "amount"), [("split", 2.0, None), ("dividend", None, 0.5)])
def test_a_split_or_a_dividend_inside_the_range_is_not_published(
    kind: str, ratio: float | None, amount: float | None
) -> None:
    ingest(source("synthetic"), SYMBOLS, FIRST, LAST)
    told = {"symbol": "CCC", "session": date(2025, 11, 24), "kind": kind, "ratio": ratio, "amount": amount}
    with connect() as connection:
        newest = newest_snapshot(connection)
        actions.record(connection, "synthetic", pl.DataFrame([told], schema=ACTION_SCHEMA), newest)
    with pytest.raises(Refused, match=f"CCC has a {kind} on 2025-11-24"):
        publish(Crossover(), SYMBOLS, FIRST, LAST, capital=200_000.0)
    assert publish(Crossover(), ["AAA"], FIRST, LAST, capital=200_000.0)[0].stage == "candidate"
