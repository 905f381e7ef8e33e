"""One account on which a promoted strategy trades one short session, and what can be asked of it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import polars as pl

from data import ledger, query
from data.postgres import connect
from data.registry import Version
from data.settings import get_settings
from execution.exchange.control import BlockingExchangeControl
from execution.proof import differences
from research.backtest import backtest
from research.parity import Parity, compare_orders
from research.strategies.crossover import Crossover

SYMBOLS = ["AAA", "CCC"]
RESEARCHED = (date(2025, 11, 20), date(2025, 11, 26))
SESSION = date(2025, 11, 28)  # a half day: 210 bars
STRATEGY = Crossover(fast=5, slow=20)
CAPITAL = 200_000.0


@dataclass(frozen=True)
class Desk:
    """One account that may trade the promoted version, and what can be asked of it afterwards."""

    account: str
    version: Version

    def arguments(self, *more: str) -> list[str]:
        day = SESSION.isoformat()
        return ["--account", self.account, "--first", day, "--last", day, *more]

    def engine(
        self, *more: str, failpoint: str = "", arguments: list[str] | None = None
    ) -> "subprocess.Popen[bytes]":
        environment = {**os.environ, "SLIPWAY_FAILPOINT": failpoint, "SLIPWAY_EXECUTION_QUARANTINE_S": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "execution", *(arguments or self.arguments(*more))],
            env=environment,
            stderr=subprocess.PIPE,
        )

    def control(self) -> BlockingExchangeControl:
        with BlockingExchangeControl(get_settings().exchange()) as opening:
            keys = opening.open_account(self.account, cash=CAPITAL)
        return BlockingExchangeControl(get_settings().exchange(), keys)

    def traded(self) -> pl.DataFrame:
        with connect() as connection:
            return ledger.traded_orders(
                connection, self.account, self.version.artifact_hash, SESSION, SESSION
            )

    def parity(self) -> Parity:
        bars = query.bars(SYMBOLS, start=RESEARCHED[0], end=SESSION)
        wanted = backtest(STRATEGY, bars, capital=CAPITAL, trade_from=SESSION)
        return compare_orders(wanted.orders, self.traded())

    def assert_nothing_lost_and_nothing_doubled(self) -> None:
        """The session's promise: research's orders exactly, and books that match the exchange's."""
        parity = self.parity()
        assert parity.research_orders > 10, "a session that hardly trades proves little"
        assert parity.differences.is_empty(), parity
        self.assert_books_agree()
        with connect() as connection:
            row = connection.execute(
                "select count(*) as sent, count(distinct broker_id) as known from orders where account = %s",
                [self.account],
            ).fetchone()
        assert row is not None
        assert row["sent"] == row["known"] == parity.research_orders

    def assert_books_agree(self) -> None:
        """Fills, positions and open orders are the exchange's."""
        found = asyncio.run(differences(self.account))
        assert found == [], found

    @contextmanager
    def running(self, *more: str, arguments: list[str] | None = None) -> "Iterator[subprocess.Popen[bytes]]":
        """An engine that is ended with the block."""
        with self.engine(*more, arguments=arguments) as process:
            try:
                yield process
            finally:
                process.terminate()
                process.communicate(timeout=15)
