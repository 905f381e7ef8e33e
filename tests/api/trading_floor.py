"""Writes what an engine would write, row by row, so that a test decides what the monitor has to show."""

import hashlib
import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import redis
from psycopg.types.json import Jsonb

from data import bus, candles
from data.bar import BAR_SCHEMA
from data.postgres import connect

Row = dict[str, Any]
ARTIFACT = hashlib.sha256(b"crossover@1").hexdigest()
MINUTE = timedelta(minutes=1)


class Floor:
    """One account and its engine, over a database of the test's own."""

    def __init__(
        self, database_url: str, redis_url: str, account: str = "paper", cash: int = 100_000
    ) -> None:
        self.bus = redis.Redis.from_url(redis_url)
        self.url = database_url
        self.db = psycopg.connect(database_url, autocommit=True)
        self.account = account
        self.db.execute("insert into accounts (name, broker, cash) values (%s, 'sim', %s)", [account, cash])
        self.db.execute("insert into controls (account) values (%s)", [account])
        self.db.execute("insert into lease (account, epoch, holder) values (%s, 0, '')", [account])
        self._number = 0

    def close(self) -> None:
        self.db.close()
        self.bus.close()

    def heartbeat(self, **status: Any) -> None:
        self.db.execute(
            "update lease set epoch = greatest(epoch, 1), holder = 'engine-1', heartbeat_at = clock_timestamp(), "
            "status = %s where account = %s",
            [Jsonb(status), self.account],
        )

    def tell(self, kind: str, **payload: Any) -> int:
        row = self.db.execute(
            "select emit_event(%s, %s, %s)", [self.account, kind, Jsonb(payload)]
        ).fetchone()
        assert row is not None
        self.hint()
        return int(row[0])

    def hint(self) -> None:
        """What makes screens look now instead of within a second."""
        self.bus.publish(bus.events(self.account), "{}")

    def order(
        self,
        symbol: str,
        side: str,
        qty: int,
        price: float,
        bar: datetime,
        state: str = "FILLED",
        **more: Any,
    ) -> str:
        """An order in the given state, told to screens; returns its coid."""
        self._number += 1
        coid = f"coid{self._number:04d}"
        sent = state not in ("INTENT", "ABANDONED")
        acked = sent and state != "SENDING"
        # A plausible journey: decided, 1.4 ms to the wire, 2.1 ms to the acknowledgement.
        decided = more.pop("decided_at", datetime.now(UTC))
        row = {
            "coid": coid,
            "account": self.account,
            "decision_key": coid,
            "state": state,
            "strategy": "crossover",
            "artifact_hash": ARTIFACT,
            "symbol": symbol,
            "side": side,
            "qty": qty,
            "filled_qty": qty if state == "FILLED" else 0,
            "target": 1.0 if side == "buy" else 0.0,
            "bar_ts_utc": bar,
            "reference_price": price,
            "body_hash": coid,
            "broker_id": f"b-{coid}" if acked else None,
            "expires_at": decided + MINUTE,
            "decided_at": decided,
            "created_at": decided + timedelta(milliseconds=0.6),
            "sent_at": decided + timedelta(milliseconds=1.4 + self._number % 5 / 10) if sent else None,
            "acked_at": decided + timedelta(milliseconds=3.5 + self._number % 7 / 5) if acked else None,
            **more,
        }
        names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        self.db.execute(f"insert into orders ({names}) values ({values})", row)
        self.tell("order", coid=coid)
        return coid

    def fill(self, coid: str, price: float, bar: datetime, **more: Any) -> str:
        """The whole order filled at this price: fill, position, events, in one transaction."""
        with self.db.transaction():
            order = self.db.execute("select symbol, side, qty from orders where coid = %s", [coid]).fetchone()
            assert order is not None
            symbol, side, qty = order
            execution = f"x-{coid}"
            received = more.get("received_at", datetime.now(UTC))
            self.db.execute(
                "insert into fills (account, execution_id, coid, symbol, side, qty, price, commission, broker_seq, "
                "bar_ts_utc, filled_at, received_at, heard_by) values (%s, %s, %s, %s, %s, %s, %s, 0, %s, %s, %s, %s, "
                "'stream')",
                [
                    self.account, execution, coid, symbol, side, qty, price, self._number, bar, bar,
                    received,
                ],
            )  # fmt: skip
            self.db.execute(
                "update orders set state = 'FILLED', filled_qty = qty, updated_at = clock_timestamp() where coid = %s",
                [coid],
            )
            signed = float(qty) * (1 if side == "buy" else -1)
            self._move(symbol, signed, price)
            self.tell("fill", execution_id=execution, coid=coid)
            self.tell("order", coid=coid)
            self.tell("position", symbol=symbol)
        self.hint()  # those above came before the commit
        return execution

    def trade(self, symbol: str, side: str, qty: int, price: float, bar: datetime, **more: Any) -> str:
        coid = self.order(symbol, side, qty, price, bar, state="ACKED", **more)
        self.fill(coid, price, bar + MINUTE, received_at=more.get("decided_at", datetime.now(UTC)))
        return coid

    def candles(self, symbol: str, first: datetime, count: int, price: float, seed: int = 7) -> list[float]:
        """A random walk of minutes; returns the closes."""
        walk, closes, rows = random.Random(seed), [], []
        for number in range(count):
            opened = price
            points = [opened]
            for _ in range(6):
                points.append(points[-1] * math.exp(walk.gauss(0, 0.00035)))
            price = points[-1]
            smile = 1 + 1.6 * abs(number - count / 2) / (count / 2)
            volume = round(4_000 * smile * walk.lognormvariate(0, 0.35))
            rows.append(
                (
                    symbol,
                    first + number * MINUTE,
                    *(round(p, 2) for p in (opened, max(points), min(points), price)),
                    volume,
                    None,
                    None,
                )
            )
            closes.append(round(price, 2))
        bars = pl.DataFrame(rows, BAR_SCHEMA, orient="row")
        with connect(self.url) as connection:
            candles.upsert(connection, "synthetic", "1m", bars)
        return closes

    def catalogued(self, symbol: str, day: datetime) -> None:
        snapshot = self.db.execute("insert into snapshots default values returning id").fetchone()
        assert snapshot is not None
        file = self.db.execute(
            "insert into lake_files (path, dataset, symbol, period, rows, sessions, sha256) "
            "values (%s, 'bars/synthetic/1m', %s, %s, 390, 1, 'x') returning id",
            [f"{symbol}/{day:%Y%m%d}", symbol, f"{day:%Y/%m/%d}"],
        ).fetchone()
        assert file is not None
        self.db.execute(
            "insert into catalog (dataset, symbol, session, revision, file_id, rows, min_ts_utc, max_ts_utc, "
            "quality, source, since) values ('bars/synthetic/1m', %s, %s, 1, %s, 390, %s, %s, 'passed', "
            "'synthetic', %s)",
            [symbol, day.date(), file[0], day, day + 389 * MINUTE, snapshot[0]],
        )

    def version(self, number: int, stage: str, verdict: str | None = "pass", **params: Any) -> str:
        """A published version of crossover; the first one's artifact is what orders name."""
        artifact = hashlib.sha256(f"crossover@{number}".encode()).hexdigest()
        self.db.execute("insert into strategies (name) values ('crossover') on conflict do nothing")
        version = self.db.execute(
            "insert into versions (strategy_id, number, artifact_hash, stage, author, manifest) "
            "select id, %s, %s, %s, 'ada', %s from strategies where name = 'crossover' returning id",
            [number, artifact, stage, Jsonb({"strategy": "crossover", "params": params})],
        ).fetchone()
        assert version is not None
        if verdict:
            self.db.execute(
                "insert into gate_evidence (version_id, gate, verdict, evidence) values (%s, 'parity', %s, %s)",
                [version[0], verdict, Jsonb({"orders": 41, "differences": 0 if verdict == "pass" else 3})],
            )
        return artifact

    def run(self, session: datetime, bars: int = 0, *, finished: bool = False) -> None:
        self.db.execute(
            "insert into runs (account, artifact_hash, feed, first_session, last_session, snapshot_id, bars, "
            "finished_at) values (%s, %s, 'replay', %s, %s, 1, %s, case when %s then clock_timestamp() end)",
            [self.account, ARTIFACT, session.date(), session.date(), bars, finished],
        )
        self.tell("run")

    def _move(self, symbol: str, signed: float, price: float) -> None:
        row = self.db.execute(
            "select qty::float8, average_entry::float8, realised::float8 from positions "
            "where account = %s and symbol = %s",
            [self.account, symbol],
        ).fetchone()
        held, entry, realised = row or (0.0, 0.0, 0.0)
        if held * signed < 0:
            closed = math.copysign(min(abs(held), abs(signed)), held)
            realised += closed * (price - entry)
        elif held + signed:
            entry = (held * entry + signed * price) / (held + signed)
        held += signed
        self.db.execute(
            "insert into positions (account, symbol, qty, average_entry, realised) values (%s, %s, %s, %s, %s) "
            "on conflict (account, symbol) do update set qty = excluded.qty, average_entry = excluded.average_entry, "
            "realised = excluded.realised, updated_at = clock_timestamp()",
            [self.account, symbol, round(held, 6), round(entry if held else 0, 6), round(realised, 6)],
        )
