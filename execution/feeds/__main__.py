"""`python -m execution.feeds`: live market data into Redis, as a process of its own."""

import argparse
import asyncio
import signal
import sys
from datetime import UTC, datetime

import uvloop

from data import bus
from data.errors import SlipwayError
from execution.feeds.live import LiveFeed
from execution.feeds.opening import VENDORS, Wanted, open_feeds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m execution.feeds", description=__doc__)
    parser.add_argument("vendor", choices=VENDORS)
    parser.add_argument("symbols", nargs="+")
    parser.add_argument("--timeframe", default="1m")
    parser.add_argument(
        "--speed",
        type=float,
        default=1.0,
        help="synthetic: seconds of the market a second (0: as fast as possible)",
    )
    parser.add_argument("--start", type=_utc, help="synthetic: where it begins, in UTC; now when not given")
    given = parser.parse_args()
    wanted = Wanted(given.vendor, tuple(given.symbols), given.timeframe, given.speed, given.start)
    code = 0
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(wanted))
    except* SlipwayError as group:
        error = next(iter(_leaves(group)))
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    return code


async def run(wanted: Wanted) -> None:
    """Until SIGTERM or SIGINT."""
    feeds = open_feeds(wanted, bus.nearest())
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, _stop, feeds)
    async with asyncio.TaskGroup() as tasks:
        for feed in feeds:
            tasks.create_task(feed.run())


def _stop(feeds: list[LiveFeed]) -> None:
    for feed in feeds:
        feed.stop()


def _leaves(group: BaseExceptionGroup[SlipwayError]) -> list[SlipwayError]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


if __name__ == "__main__":
    sys.exit(main())
