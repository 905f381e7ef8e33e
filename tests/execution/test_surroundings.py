"""What a process sees around an order: its bars, the calendar, the registry, the catalog, a live feed."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from data import bus
from data.postgres import connect
from execution.core.book import Book
from execution.core.intents import Intent
from execution.core.risk import Conditions
from execution.deployments import Deployment, FromRegistry
from execution.feeds.status import FeedStatus
from execution.strategy import CostModel
from execution.surroundings import BookSurroundings
from research.strategies.crossover import Crossover

FRIDAY = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
DEPLOYED = Deployment(
    name="s@1", hash="h", family="s", strategy=Crossover(fast=5, slow=20), universe=("AAA", "BTC/USD"),
    source="synthetic", timeframe="1m", capital=1.0, costs=CostModel(), anchor=date(2026, 11, 1),
)  # fmt: skip


def us(moment: datetime) -> int:
    return int(moment.timestamp() * 1e6)


def intent(symbol: str, artifact: str | None = "h") -> Intent:
    return Intent(
        coid="c", account="a", artifact_hash=artifact, strategy="s", symbol=symbol, side="buy", qty=1.0, target=None,
        bar_ts_us=0, reference_price=100.0, decided_at_us=0,
    )  # fmt: skip


class Seen:
    """A process with its books, and what it sees."""

    def __init__(self, clock_us: Callable[[], int] | None = None) -> None:
        books = DEPLOYED.books("a")
        self._book_of: dict[str, Book] = {symbol: book for book in books for symbol in book.symbols}
        self.around = BookSurroundings([DEPLOYED], FromRegistry().may_open, books, 60.0, clock_us)

    def hears(self, symbol: str, moment: datetime, close: float) -> None:
        book = self._book_of[symbol]
        book.last_bar_us[symbol], book.closes[symbol] = us(moment), close

    def told(self, symbol: str = "AAA", artifact: str | None = "h") -> Conditions:
        return self.around.conditions(intent(symbol, artifact))

    def looks(self) -> Conditions:
        asyncio.run(self.around.look())
        return self.told()


def test_a_replay_has_the_time_of_its_newest_bar() -> None:
    seen = Seen()
    assert (seen.told().data_age_s, seen.told().closed) == (None, "")
    assert (seen.around.now_us(), seen.around.prices()) == (0, {})
    seen.hears("AAA", FRIDAY, 101.0)
    seen.hears("BTC/USD", FRIDAY - timedelta(hours=1), 9.0)
    assert seen.around.now_us() == us(FRIDAY + timedelta(minutes=1))
    assert (seen.told().price, seen.told().data_age_s, seen.told().closed) == (101.0, 0.0, "")
    assert seen.around.prices() == {"AAA": 101.0, "BTC/USD": 9.0}
    assert seen.around.calendars() == {"XNYS", "24/7"}


def test_live_data_has_an_age_and_a_session_that_is_on_or_not() -> None:
    clock = [us(FRIDAY + timedelta(minutes=3))]
    seen = Seen(lambda: clock[0])
    seen.hears("AAA", FRIDAY, 101.0)
    assert seen.told().data_age_s == 120.0
    clock[0] = us(datetime(2026, 11, 27, 18, 2, tzinfo=UTC))  # after a half day
    assert seen.told().closed.startswith("XNYS closed at 2026-11-27 18:00 UTC")
    assert seen.told("BTC/USD").closed == ""


def test_the_last_bar_of_a_session_may_still_order() -> None:
    seen = Seen()
    seen.hears("AAA", datetime(2026, 11, 27, 17, 59, tzinfo=UTC), 101.0)
    assert seen.around.now_us() == us(datetime(2026, 11, 27, 18, 0, tzinfo=UTC))
    assert seen.told().closed == ""


def test_who_was_retired_opens_nothing_more(database_url: str) -> None:
    with connect() as connection:
        connection.execute("insert into strategies (name) values ('s')")
        connection.execute(
            "insert into versions (strategy_id, number, artifact_hash, stage, author, manifest) "
            "select id, 1, 'h', 'paper', 'ann', '{}' from strategies"
        )
    seen = Seen()
    assert seen.looks().unpromoted == ""
    assert seen.told(artifact=None).unpromoted == "", "an operator's order has no artifact"
    with connect() as connection:
        connection.execute("update versions set stage = 'retired'")
    assert seen.looks().unpromoted == "the artifact h is on no stage that trades"


def test_a_symbol_whose_newest_session_failed_its_checks_is_only_reduced(database_url: str) -> None:
    seen = Seen()
    seen.hears("AAA", FRIDAY, 101.0)
    assert seen.looks().unhealthy == ""
    publish(date(2026, 11, 25), "failed")
    assert seen.looks().unhealthy == "the bars of AAA failed their checks on 2026-11-25: high is below low"
    assert seen.told("BTC/USD").unhealthy == ""
    publish(date(2026, 11, 27), "passed")
    publish(date(2026, 11, 30), "failed")  # which a replay of Friday cannot know of
    assert seen.looks().unhealthy == ""


def publish(session: date, quality: str) -> None:
    told = {"path": session.isoformat(), "session": session, "quality": quality}
    with connect() as connection:
        connection.execute("insert into snapshots (note) values ('')")
        connection.execute(
            "insert into lake_files (path, dataset, symbol, period, rows, sessions, sha256) "
            "values (%(path)s, 'bars/synthetic/1m', 'AAA', %(path)s, 1, 1, '')",
            told,
        )
        connection.execute(
            "insert into catalog (dataset, symbol, session, revision, file_id, rows, quality, findings, source, since) "
            "select dataset, symbol, %(session)s, 1, id, 1, %(quality)s, "
            "jsonb_build_array('high is below low'), 'synthetic', (select max(id) from snapshots) "
            "from lake_files where path = %(path)s",
            told,
        )


@pytest.mark.parametrize(
    ("state", "says"),
    [("live", ""), ("stale", "the feed alpaca is stale: silent"), (None, "the feed alpaca says nothing")],
)
def test_a_feed_that_is_not_to_be_relied_on_says_why(state: str | None, says: str, redis_url: str) -> None:
    seen = Seen()

    async def look() -> str:
        redis = bus.connect_async()
        if state is not None:
            status = FeedStatus(state, 0, "silent", 1, 0, 0, {}, {})  # type: ignore[arg-type]
            await redis.set(bus.feed("alpaca"), msgspec.json.encode(status))
        await seen.around.look_at_feeds(redis, ["alpaca"])
        await redis.aclose()
        return seen.told().feed

    assert asyncio.run(look()) == says
