"""The whole product in one command: market data, research, a signed artifact, a gate, a traded session, parity.

Every step calls the function that the command line and Dagster call.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data import artifacts, registry
from data.calendars import sessions
from data.errors import Refused
from data.ingest import ingest
from data.postgres import connect
from data.registry import Version
from data.sources import source
from execution.strategy import Strategy
from infra.local.control import Control
from infra.local.launch import bring_up
from infra.local.site import Site
from orchestration import session as trading
from orchestration.materialize import materialize_study
from orchestration.study import STUDY, Study
from orchestration.summary import summary
from research.gates import measure_parity
from research.publish import publish

if TYPE_CHECKING:
    from rich.console import Console

STEPS = 9
PACE_S = 1.0  # of a bar, once the system is left on duty: slow enough to watch, quick enough to see something


@dataclass(slots=True)
class Demo:
    """The demo's console and what its steps hand on."""

    site: Site
    console: "Console"
    study: Study = STUDY
    started: float = field(default_factory=time.monotonic)
    number: int = 0

    @property
    def report(self) -> Path:
        return self.site.state_dir / "report.html"

    def run(self) -> trading.Outcome:
        """All steps; raises at the first that fails."""
        with self.step("Services: PostgreSQL, Valkey, exchange, monitor, Dagster") as told:
            control = bring_up(self.site, told=lambda services: told(_ready(services), len(services), ""))
            control.stop("engine")  # of an earlier demo; its account stays as it is
        with self.step("Market data: synthetic minutes → checks → lake → catalog and candles") as told:
            self.ingest(told)
        with self.step("Sweep: every pair of averages in one fused pass") as told:
            best, trials = self.sweep(told)
        with self.step("Publish: backtest, report and signed artifact"):
            version = self.publish(best, trials)
        with self.step("Gate: research orders = engine orders, then promotion to paper"):
            self.promote(version)
        with self.step("Dagster: the same assets, by the same functions") as told:
            self.materialize(version, told)
        account = trading.next_account("demo")
        with self.step(
            f"Trade: {self.study.trade_session} on {account}, engine → gateway → exchange"
        ) as told:
            self.trade(account, told)
        with self.step("Parity: every order compared, every book reconciled"):
            outcome = self.judge(account, version)
        with self.step("On duty: the engine goes on with the next sessions"):
            self.stay_on_duty(control, account)
        self.console.print(summary(self.site, outcome, version, self.report, time.monotonic() - self.started))
        return outcome

    # -- the steps

    def ingest(self, told: Any) -> None:
        market = source(self.study.source)
        symbols = list(self.study.symbols)
        done = ingest(
            market, symbols, self.study.first, self.study.data_until, self.study.timeframe, progress=told
        )
        self.say(f"{done.rows:,} new bars, {done.unchanged} sessions unchanged, snapshot {done.snapshot}")
        if done.failed:
            raise Refused(f"market data failed its checks: {done.failed[0]}", "See `./slipway data list`.")

    def sweep(self, told: Any) -> tuple[Strategy, int]:
        bars = self.study.bars()
        ranked = self.study.ranked(bars, lambda done, total: told(done, total, "sets"))
        first = ranked.row(0, named=True)
        best = self.study.best(ranked)
        self.say(
            f"{ranked.height} sets × {bars.height:,} bars; best {best}: return {first['total_return']:.2%}, "
            f"Sharpe {first['sharpe']:.2f} in sample, the best of {ranked.height} tries"
        )
        return best, ranked.height

    def publish(self, strategy: Strategy, trials: int) -> Version:
        version, result = publish(
            strategy,
            list(self.study.symbols),
            self.study.first,
            self.study.last,
            capital=self.study.capital,
            costs=self.study.costs,
            trials=trials,
            source=self.study.source,
            timeframe=self.study.timeframe,
        )
        self.report.write_bytes(artifacts.load(version.artifact_hash).files["report.html"])
        self.say(f"{version} = {version.artifact_hash[:12]}…, {result.orders.height} orders, {self.report}")
        return version

    def promote(self, version: Version) -> None:
        parity = measure_parity(version)
        self.say(str(parity))
        if version.stage == "paper":
            self.say(f"{version} is promoted to paper already")
            return
        with connect() as connection:
            registry.promote(connection, version, "paper", actor="demo", reason="slipway demo")

    def materialize(self, version: Version, told: Any) -> None:
        made = materialize_study(self.study, told)
        same = "the very same artifact" if made.artifact_hash == version.artifact_hash else "another artifact"
        self.say(f"run {made.run_id[:8]}: {made.sessions} sessions, {made.version}, {same}")

    def trade(self, account: str, told: Any) -> None:
        from rich.markup import escape

        total = len(self.study.symbols) * _minutes(self.study.trade_session)
        log = self.site.log_dir / "demo-session.log"
        endings = trading.trade(
            account, self.study.trade_session, log, lambda bars: told(bars, total, "bars")
        )
        for ending in endings:
            self.say(f"[yellow]{escape(ending)}; started again[/]")

    def stay_on_duty(self, control: Control, account: str) -> None:
        following = self.study.trade_session + timedelta(days=1)
        control.start(
            "engine",
            args=[
                *("--account", account, "--first", str(following), "--last", str(self.study.data_until)),
                *("--pace", str(PACE_S)),
            ],
        )
        self.say(f"{account} trades {following} to {self.study.data_until}, a bar every {PACE_S:.0f} s")

    def judge(self, account: str, version: Version) -> trading.Outcome:
        outcome = trading.judge(account, version, self.study.trade_session)
        self.say(str(outcome.parity))
        self.say(f"{len(outcome.book_differences)} differences between the ledger and the exchange's books")
        for difference in outcome.book_differences:
            self.say(f"[red]{difference}[/]")
        return outcome

    # -- how it is told

    @contextmanager
    def step(self, title: str) -> Iterator[Any]:
        from orchestration.cli.render import progress

        self.number += 1
        self.console.print(f"[bold cyan]{self.number}/{STEPS}[/] [bold]{title}[/]")
        began = time.monotonic()
        with progress(title.partition(":")[0]) as told:
            yield told
        self.console.print(f"    [green]done[/] in {time.monotonic() - began:.1f} s")

    def say(self, fact: str) -> None:
        from rich.padding import Padding

        self.console.print(Padding(fact, (0, 0, 0, 4), expand=False))  # also the lines behind a wrapped one


def _ready(services: list[dict[str, Any]]) -> int:
    return sum(each["state"] == "ready" for each in services)


def _minutes(day: date) -> int:
    found = sessions(day, day)[0]
    return int((found.close_utc - found.open_utc).total_seconds() // 60)
