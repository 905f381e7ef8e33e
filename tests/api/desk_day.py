"""A plausible afternoon on the desk, for looking at the page."""

from datetime import UTC, datetime, timedelta
from typing import Final

from trading_floor import MINUTE, Floor

OPEN_BELL: Final = datetime(2026, 11, 19, 14, 30, tzinfo=UTC)  # 09:30 in New York
NOW_BAR: Final = 312
LISTED: Final = {"AAA": 48.2, "BBB": 112.6, "CCC": 23.4, "DDD": 241.0}
FAST, SLOW = 10, 50


def play(floor: Floor) -> dict[str, float]:
    """Candles of a session, a moving-average crossover traded on it until NOW_BAR, two published versions.

    Returns the newest close of every symbol.
    """
    floor.version(1, "paper", fast=FAST, slow=SLOW)
    floor.version(2, "candidate", verdict="fail", fast=5, slow=20)
    floor.version(3, "candidate", verdict=None, fast=20, slow=120)
    closes = {}
    for seed, (symbol, price) in enumerate(LISTED.items(), start=11):
        floor.catalogued(symbol, OPEN_BELL)
        closes[symbol] = floor.candles(symbol, OPEN_BELL, 390, price, seed)
    floor.run(OPEN_BELL, NOW_BAR)
    changes = sorted(
        (minute, symbol, side) for symbol in LISTED for minute, side in crossings(closes[symbol][:NOW_BAR])
    )
    wall = datetime.now(UTC) - timedelta(minutes=2)
    for number, (minute, symbol, side) in enumerate(changes):
        close = closes[symbol][minute]
        quantity = int(25_000 / closes[symbol][SLOW])
        decided = wall + timedelta(seconds=number * 100 / len(changes))
        floor.trade(
            symbol,
            side,
            quantity,
            round(close * (1.0001 if side == "buy" else 0.9999), 4),
            OPEN_BELL + minute * MINUTE,
            decided_at=decided,
        )
    floor.order(
        "DDD", "buy", 104, closes["DDD"][NOW_BAR], OPEN_BELL + NOW_BAR * MINUTE, state="REJECTED",
        reason="insufficient buying power",
    )  # fmt: skip
    last = {symbol: series[NOW_BAR] for symbol, series in closes.items()}
    bar = OPEN_BELL + NOW_BAR * MINUTE
    floor.heartbeat(
        bars=NOW_BAR,
        bar_ts_us=int(bar.timestamp() * 1e6),
        books=[{"symbol": symbol, "last": price} for symbol, price in last.items()],
    )
    return last


def crossings(closes: list[float]) -> list[tuple[int, str]]:
    """When the fast average changed sides, long and flat in turns."""
    found, long = [], False
    for minute in range(SLOW, len(closes)):
        fast = sum(closes[minute - FAST : minute]) / FAST
        slow = sum(closes[minute - SLOW : minute]) / SLOW
        if (fast > slow) != long:
            long = fast > slow
            found.append((minute, "buy" if long else "sell"))
    return found
