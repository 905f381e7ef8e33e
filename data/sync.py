"""The nightly sync: what every configured market traded since the lake last looked."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from data.calendars import last_closed, last_sessions
from data.errors import SlipwayError
from data.ingest import Ingested, ingest
from data.progress import Progress, silent
from data.settings import DataSettings, Market, get_settings
from data.sources import Source, source
from data.storage import Storage


@dataclass(frozen=True, slots=True)
class Synced:
    """One market's symbols of one calendar: what came in, or why nothing did."""

    source: str
    timeframe: str
    symbols: tuple[str, ...]
    first: date
    last: date
    ingested: Ingested | None
    error: SlipwayError | None


def sync(
    now: datetime | None = None,
    markets: Iterable[Market] | None = None,
    *,
    settings: DataSettings | None = None,
    storage: Storage | None = None,
    database_url: str | None = None,
    open_source: Callable[[str], Source] = source,
    progress: Progress = silent,
) -> list[Synced]:
    """Bring every session that closed and is missing, the newest and holes behind it, of every configured market.

    Running it again changes nothing; killed, it goes on where it was.  A market that fails does not keep the others.
    """
    settings = settings or get_settings()
    now = now or datetime.now(UTC)
    done = []
    for market in settings.markets if markets is None else markets:
        try:
            opened = open_source(market.source)
            groups = _by_calendar(opened, market.symbols or opened.symbols())
        except SlipwayError as error:
            done.append(
                Synced(market.source, market.timeframe, market.symbols, now.date(), now.date(), None, error)
            )
            continue
        for calendar, symbols in groups.items():
            last = last_closed(now, calendar).day
            first = last_sessions(last, settings.sync_sessions_max, calendar)[0].day
            listed = [opened.instrument(symbol).listed for symbol in symbols]
            first = max([first, *(day for day in listed if day and day <= last)])
            ingested = failure = None
            try:
                ingested = ingest(
                    opened, symbols, first, last, market.timeframe,
                    only_missing=True, settings=settings, storage=storage, database_url=database_url,
                    progress=progress, now=now,
                )  # fmt: skip
            except SlipwayError as error:
                failure = error
            done.append(Synced(opened.name, market.timeframe, tuple(symbols), first, last, ingested, failure))
    return done


def _by_calendar(opened: Source, symbols: Sequence[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for symbol in symbols:
        groups.setdefault(opened.instrument(symbol).calendar, []).append(symbol)
    return groups
