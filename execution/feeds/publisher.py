"""What a feed tells, on its way into Redis: at once, in order, and never at the feed's expense.

While Redis is away ticks are lost and counted.  Bars wait, and go out when it is back: a batch with bars is one
transaction that also notes the newest bar of each symbol, so that after a lost reply nobody has to guess what arrived.
Only a batch that a frozen network delivers minutes later is told twice, and a book ignores a bar that it has seen.
"""

import asyncio
import contextlib
from collections import Counter, deque
from typing import Final

import msgspec
import structlog
from hiredis import ReplyError

from data import bus
from data.bar import Tick, encode_tick
from data.market_data import FEED, NO_EVENTS, SEQ, TICK, bar_entry, correction_entry, price_message
from data.swift import LATER_S, Link
from data.swift.resp import Addition, Word, command
from data.swift.wire import Handler, Reply
from execution.feeds.continuity import Line

BATCH_MAX: Final = 256
BATCHES_MAX: Final = 8  # on their way to Redis
WAITING_MAX: Final = 8_192  # ticks and bars behind them; a burst of the whole market in one second
BARS_KEPT_MAX: Final = 50_000  # 500 symbols for 100 minutes without Redis; older ones are lost and counted
RETRY_S: Final = 0.2

MULTI: Final = command("MULTI")
EXEC: Final = command("EXEC")

_log = structlog.get_logger()


class Publisher:
    """The one writer of a feed's streams, on a link of its own."""

    def __init__(self, feed: str, url: str | None = None, *, begins_anew: bool = False) -> None:
        self._feed = feed
        self._begins_anew = begins_anew  # a market that is made up has no earlier life
        self._link = Link(url, name=f"feed.{feed}", answers_after_s=LATER_S)
        self._link.on_up, self._link.on_down = self._ask_what_arrived, self._lost
        self._waiting: deque[Tick | Line] = deque()
        self._sent: deque[list[Tick | Line]] = deque()  # batches without an answer so far
        self._room, self._gone_out = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._gone_out.set()
        self._down = True
        self._ticks: dict[str, Addition] = {}
        self.counted: Counter[str] = Counter()

    async def told_before(self) -> dict[str, int]:
        """The open of the newest bar of each symbol, of this feed's earlier life; nothing while Redis is away."""
        try:
            await self._link.up()
            return _opens(await self._link.ask("HGETALL", bus.told_bars(self._feed)))
        except bus.Lost as error:
            _log.warning("nobody knows what was told before", feed=self._feed, error=str(error))
            return {}

    async def tell(self, news: Tick | Line) -> None:
        """Send it; waits for room while Redis takes what it is given, and for nothing while it does not."""
        if self._down and isinstance(news, Tick):
            self.counted["ticks lost"] += 1
            return
        if not self._down:
            await self._room.wait()
        self._waiting.append(news)
        self._gone_out.clear()
        if not self._down:
            self._send()

    async def run(self) -> None:
        """Keep the link to Redis, until cancelled."""
        await self._link.run()

    async def gone_out(self) -> None:
        """Wait until everything that was told is in Redis, or lost."""
        await self._gone_out.wait()

    async def tell_status(self, status: msgspec.Struct, keep_s: int) -> None:
        """What risk and screens read; it vanishes when nobody renews it."""
        with contextlib.suppress(bus.Lost):  # absent is read as stale, which is what it then is
            await self._link.ask("SET", bus.feed(self._feed), msgspec.json.encode(status), "EX", keep_s)

    # -- while Redis is there

    def _send(self) -> None:
        while self._waiting and len(self._sent) < BATCHES_MAX and not self._down:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH_MAX))]
            commands, answers = self._commands(batch)
            self._sent.append(batch)
            try:
                self._link.send(commands, answers)
            except bus.Lost as error:
                self._link.drop(str(error))
                self._lost(str(error))
        if len(self._waiting) < WAITING_MAX:
            self._room.set()
        else:
            self._room.clear()
        self._look_whether_all_went_out()

    def _look_whether_all_went_out(self) -> None:
        if not self._waiting and not self._sent:
            self._gone_out.set()

    def _commands(self, batch: list[Tick | Line]) -> tuple[bytes, list[Handler]]:
        prices: dict[str, tuple[int, float]] = {}  # the last of each symbol: no eye sees those between
        commands: list[bytes] = []
        with_bars = False
        for news in batch:
            if isinstance(news, Tick):
                symbol = news.symbol
                commands.append(self._of_ticks(symbol)(encode_tick(news)))
            else:
                symbol, with_bars = news.told.bar.symbol, True
                commands += self._of_bar(news)
            if (price := _price(news)) is not None:
                prices[symbol] = price
        commands += [
            command("PUBLISH", bus.ticker(symbol), price_message(symbol, *price))
            for symbol, price in prices.items()
        ]
        if with_bars:
            commands = [MULTI, *commands, EXEC]
        return b"".join(commands), [*[self._refused_or_not] * (len(commands) - 1), self._arrived]

    def _of_ticks(self, symbol: str) -> Addition:
        found = self._ticks.get(symbol)
        if found is None:
            others: dict[str, Word] = {FEED: self._feed, SEQ: NO_EVENTS}
            found = self._ticks[symbol] = Addition(bus.md(symbol), bus.MARKET_DATA_LENGTH, TICK, others)
        return found

    def _of_bar(self, line: Line) -> list[bytes]:
        bar, corrected = line.told.bar, line.told.corrected
        entry = (
            correction_entry(bar, self._feed)
            if corrected
            else bar_entry(bar, self._feed, backfilled=line.backfilled)
        )
        words = [word for pair in entry.items() for word in pair]
        add = command("XADD", bus.md(bar.symbol), "MAXLEN", "~", bus.MARKET_DATA_LENGTH, "*", *words)
        return (
            [add] if corrected else [command("HSET", bus.told_bars(self._feed), bar.symbol, bar.ts_us), add]
        )

    def _arrived(self, reply: Reply) -> None:
        """The last answer of a batch."""
        for part in reply if isinstance(reply, list) else [reply]:
            self._refused_or_not(part)
        if self._down or isinstance(reply, bus.Lost):
            return  # the end of the link follows
        self.counted["published"] += len(self._sent.popleft())
        self._send()

    def _refused_or_not(self, reply: Reply) -> None:
        """What Redis refuses once it refuses again: begin anew, as if it had been away."""
        self._link.note(reply)
        if isinstance(reply, ReplyError):
            self._lost(str(reply))
            self._link.drop(str(reply))

    # -- while it is not

    def _lost(self, why: str) -> None:
        """Nobody knows how much of what was sent arrived; keep the bars until Redis tells."""
        if not self._down:
            _log.warning("redis is away; ticks are lost, bars wait", feed=self._feed, error=why)
        self._down = True
        self._room.set()
        self._waiting.extendleft(news for batch in reversed(self._sent) for news in reversed(batch))
        self._sent.clear()
        self._keep_bars()
        self._look_whether_all_went_out()

    def _keep_bars(self) -> None:
        bars = [line for line in self._waiting if isinstance(line, Line)]
        self.counted["ticks lost"] += len(self._waiting) - len(bars)
        self.counted["bars lost"] += max(0, len(bars) - BARS_KEPT_MAX)
        self._waiting = deque(bars[-BARS_KEPT_MAX:])

    def _ask_what_arrived(self) -> None:
        forget = command("DEL", bus.told_bars(self._feed)) if self._begins_anew else b""
        question = command("HGETALL", bus.told_bars(self._feed))
        with contextlib.suppress(bus.Lost):  # then the next connection asks
            self._link.send(
                forget + question, [self._link.note, self._back] if self._begins_anew else [self._back]
            )

    def _back(self, reply: Reply) -> None:
        """Redis is there: go on with the bars that it does not have."""
        if isinstance(reply, bus.Lost):
            return
        if isinstance(reply, ReplyError):
            self._link.note(reply)
            asyncio.get_running_loop().call_later(RETRY_S, self._ask_what_arrived)
            return
        self._begins_anew = False
        arrived = _opens(reply)
        self._keep_bars()
        self._waiting = deque(
            line
            for line in self._waiting
            if isinstance(line, Line)
            and (line.told.corrected or line.told.bar.ts_us > arrived.get(line.told.bar.symbol, -1))
        )
        self._down = False
        self._send()


def _opens(told: list[bytes]) -> dict[str, int]:
    """Names and values in turn, as RESP2 tells a hash."""
    return {symbol.decode(): int(ts_us) for symbol, ts_us in zip(told[::2], told[1::2], strict=True)}


def _price(news: Tick | Line) -> tuple[int, float] | None:
    """What screens may show: never a correction, which is of the past."""
    if isinstance(news, Tick):
        return None if news.last is None else (news.ts_us, news.last)
    return None if news.told.corrected else (news.told.bar.ts_us, news.told.bar.close)
