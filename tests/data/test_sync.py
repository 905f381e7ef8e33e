"""The nightly sync: everything that closed and is missing, once, and again without effect."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import polars as pl
import pytest

import data
from data.errors import Unavailable
from data.ingest import ingest
from data.settings import DataSettings, Market
from data.sources import Source, source
from data.sources.synthetic import SyntheticMarket
from data.sync import sync

FIVE_PAST_MIDNIGHT = datetime(
    2026, 10, 1, 0, 5, tzinfo=UTC
)  # the session of September 30 closed four hours ago

pytestmark = pytest.mark.usefixtures("database_url")


def configured(*markets: Market, sessions: int = 3) -> DataSettings:
    return DataSettings(markets=markets, sync_sessions_max=sessions)


@pytest.mark.full
def test_each_market_is_brought_up_to_the_session_that_closed_last() -> None:
    settings = configured(
        Market(source="synthetic", symbols=("AAA", "BTX/USD")), Market(source="synthetic", timeframe="1h")
    )
    done = sync(FIVE_PAST_MIDNIGHT, settings=settings)
    assert [(each.symbols[0], each.timeframe, str(each.first), str(each.last)) for each in done] == [
        ("AAA", "1m", "2026-09-28", "2026-09-30"),
        ("BTX/USD", "1m", "2026-09-28", "2026-09-30"),
        ("AAA", "1h", "2026-09-28", "2026-09-30"),
    ]
    assert [each.ingested.published for each in done if each.ingested] == [3, 3, 18]
    assert data.bars("BTX/USD").height == 3 * 1440


@pytest.mark.full
def test_a_second_sync_changes_nothing_and_asks_nobody() -> None:
    class Deaf(SyntheticMarket):
        def history(
            self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str
        ) -> pl.DataFrame:
            raise AssertionError("everything is there")

    settings = configured(Market(source="synthetic"))
    sync(FIVE_PAST_MIDNIGHT, settings=settings)
    (again,) = sync(FIVE_PAST_MIDNIGHT, settings=settings, open_source=lambda name: Deaf())
    assert again.error is None
    assert again.ingested is not None
    assert (again.ingested.published, again.ingested.unchanged) == (0, 18)


def test_a_hole_behind_the_newest_session_is_filled() -> None:
    for day in (date(2026, 9, 28), date(2026, 9, 30)):
        ingest(SyntheticMarket(), ["AAA"], day, day)
    (done,) = sync(FIVE_PAST_MIDNIGHT, settings=configured(Market(source="synthetic", symbols=("AAA",))))
    assert done.ingested is not None
    assert (done.ingested.published, done.ingested.unchanged) == (1, 2)
    assert data.bars("AAA").height == 3 * 390


def test_a_session_that_still_trades_waits_for_the_next_night() -> None:
    noon = datetime(2026, 9, 30, 16, tzinfo=UTC)
    (done,) = sync(noon, settings=configured(Market(source="synthetic", symbols=("AAA",))))
    assert str(done.last) == "2026-09-29"


@pytest.mark.full
def test_a_market_that_fails_does_not_keep_the_others_from_their_bars() -> None:
    class Down(SyntheticMarket):
        def history(
            self, symbols: Sequence[str], start: datetime, end: datetime, timeframe: str
        ) -> pl.DataFrame:
            raise Unavailable("the vendor is down", "Try again.")

    def open_source(name: str) -> Source:
        return Down(name="down") if name == "down" else source(name)

    settings = configured(Market(source="nobody"), Market(source="down"), Market(source="synthetic"))
    done = sync(FIVE_PAST_MIDNIGHT, settings=settings, open_source=open_source)
    assert [str(each.error)[:19] if each.error else "" for each in done] == [
        "there is no market ",
        "the vendor is down.",
        "",
    ]
    assert data.bars("AAA").height == 3 * 390


def test_markets_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_MARKETS", '[{"source": "synthetic", "symbols": ["BBB"], "timeframe": "1d"}]')
    assert DataSettings().markets == (Market(source="synthetic", symbols=("BBB",), timeframe="1d"),)
