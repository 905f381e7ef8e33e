"""A trading session run as its own process, watched, and afterwards compared with research and the exchange."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from data import ledger
from data.errors import Refused, SlipwayError, Unavailable, UsageError
from data.postgres import connect
from data.registry import Version
from execution.deployments import load
from execution.proof import differences
from infra.local.logs import last_words
from research.backtest import backtest
from research.parity import Parity, compare_orders

WATCH_EVERY_S = 0.2
PAUSES_S = (1.0, 2.0, 4.0, 8.0)  # before each new start; Postgres needs up to 4 s after a kill -9
NO_USE_AGAIN = (UsageError.exit_code, Refused.exit_code)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a session did, and whether it did what research computed."""

    account: str
    orders: int
    fills: int
    parity: Parity
    book_differences: list[str]
    latencies: list[dict[str, Any]]

    @property
    def holds(self) -> bool:
        return self.parity.holds and not self.book_differences


def next_account(prefix: str) -> str:
    """A name that no account has had: a market that is replayed needs books of its own."""
    with connect() as connection:
        taken = {row["name"] for row in connection.execute("select name from accounts").fetchall()}
    number = 1
    while f"{prefix}-{number}" in taken:
        number += 1
    return f"{prefix}-{number}"


def trade(account: str, session: date, log: Path, told: Callable[[int], None]) -> list[str]:
    """Replay one session through the engine and the exchange at full speed; `told` hears bars done.

    An engine that is killed, or loses Postgres, is started again: its start is its recovery.  Returns why
    each of its earlier lives ended.
    """
    endings: list[str] = []
    day = session.isoformat()
    command = [sys.executable, "-m", "execution", "--account", account]
    command += ["--first", day, "--last", day, "--exit-when-done"]
    log.unlink(missing_ok=True)
    for pause_s in (*PAUSES_S, None):
        with log.open("ab") as output, subprocess.Popen(command, stdout=output, stderr=output) as engine:
            while engine.poll() is None:
                told(_bars_done(account))
                time.sleep(WATCH_EVERY_S)
        if engine.returncode == 0:
            break
        said = last_words(log.read_text(errors="replace")) or "it said nothing"
        endings.append(f"the engine ended with {engine.returncode}: {said}")
        if pause_s is None or engine.returncode in NO_USE_AGAIN:
            raise SlipwayError(endings[-1], f"Its whole log is in {log}.")
        time.sleep(pause_s)
    told(_bars_done(account))
    return endings


def judge(account: str, version: Version, session: date) -> Outcome:
    """Compare a traded session with research, order by order, and the ledger with the exchange's books."""
    deployed = load(str(version), version.artifact_hash)
    wanted = backtest(
        deployed.strategy,
        deployed.history(session),
        capital=deployed.capital,
        costs=deployed.costs,
        trade_from=session,
    )
    with connect() as connection:
        traded = ledger.traded_orders(connection, account, version.artifact_hash, session, session)
        parity = compare_orders(wanted.orders, traded)
        fills = connection.execute("select count(*) as n from fills where account = %s", [account]).fetchone()
        connection.execute(
            "update runs set parity = %s where account = %s and artifact_hash = %s and first_session = %s",
            [
                Jsonb({"matched": parity.matched, "differences": parity.differences.height}),
                account, version.artifact_hash, session,
            ],
        )  # fmt: skip
        return Outcome(
            account=account,
            orders=traded.height,
            fills=int(fills["n"]) if fills else 0,
            parity=parity,
            book_differences=asyncio.run(differences(account)),
            latencies=ledger.latencies(connection, account),
        )


def _bars_done(account: str) -> int:
    try:
        with connect() as connection:
            row = connection.execute("select status from lease where account = %s", [account]).fetchone()
    except Unavailable:  # only the progress bar waits for it
        return 0
    return int(row["status"].get("bars", 0)) if row else 0
