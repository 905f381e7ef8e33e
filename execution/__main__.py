"""`python -m execution`: the execution service as a process."""

import argparse
import asyncio
import sys
from datetime import UTC, date, datetime
from typing import TypeVar

import psycopg
import uvloop

from data.errors import SlipwayError
from execution.feeds.opening import VENDORS
from execution.markets import Live, Replay
from execution.service import Assignment, run
from execution.settings import ExecutionSettings
from execution.visibility import logs

Failure = TypeVar("Failure", bound=Exception)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m execution", description=__doc__)
    parser.add_argument("--account", required=True)
    market = parser.add_mutually_exclusive_group(required=True)
    market.add_argument("--first", type=date.fromisoformat, help="first session to replay")
    market.add_argument("--live", choices=VENDORS, help="trade a live feed instead")
    parser.add_argument("--last", type=date.fromisoformat, help="last session to replay (the first)")
    parser.add_argument("--speed", type=float, default=1.0, help="of the made-up market, live")
    parser.add_argument("--start", type=_instant, help="when the made-up market begins (now)")
    parser.add_argument("--feed-elsewhere", action="store_true", help="another process publishes the feed")
    parser.add_argument(
        "--pace", type=float, default=0.0, help="seconds a bar takes (0: as fast as possible)"
    )
    parser.add_argument("--exit-when-done", action="store_true", help="stop after the last bar")
    parser.add_argument("--take-over", action="store_true", help="even if another engine seems alive")
    given = parser.parse_args()
    asked = Assignment(
        given.account,
        _market_of(given),
        exit_when_done=given.exit_when_done,
        take_over=given.take_over,
    )
    return serve(asked)


def _market_of(given: argparse.Namespace) -> Replay | Live:
    if given.live is not None:
        return Live(given.live, given.speed, given.start, given.feed_elsewhere)
    return Replay(given.first, given.last or given.first, given.pace)


def serve(asked: Assignment) -> int:
    """Run the service; an error is a sentence and an exit code."""
    code = 0
    logs.configure(ExecutionSettings())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(asked))
    except* SlipwayError as group:
        first = _first_of(group)
        print(f"error: {first}", file=sys.stderr)
        code = first.exit_code
    except* (psycopg.OperationalError, psycopg.InternalError) as group:  # it ended, failed, or cut us off
        reason = str(_first_of(group)).strip().partition("\n")[0]
        print(f"error: Postgres went away: {reason}. Start again; nothing is lost.", file=sys.stderr)
        code = 1
    return code


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _first_of(group: BaseExceptionGroup[Failure]) -> Failure:
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


if __name__ == "__main__":
    sys.exit(main())
