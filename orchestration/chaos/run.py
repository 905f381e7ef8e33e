"""Sessions one after the other in a private world, each under faults, each judged; and the figures of it all."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import uvloop

from data.settings import DataSettings
from infra.local.orphans import end_orphans
from infra.local.processes import ProcessId, read_pid_file, write_pid_file
from infra.local.site import Site
from orchestration.chaos.deck import Card, Deck
from orchestration.chaos.turmoil import Told, Turmoil
from orchestration.chaos.verdict import violations
from orchestration.chaos.world import private_world

PREFIX: Final = "slipway-chaos-"
RUNNER: Final = "runner.json"  # whose world it is
VERDICT: Final = "verdict.json"
Watch = Callable[[int, str], None]  # seconds so far, and a word about it


@dataclass
class Account:
    """All sessions of a run."""

    seed: int
    sessions: list[Told] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    orders_each: int = 0
    seconds: float = 0.0
    evidence: Path | None = None

    @property
    def struck(self) -> list[Card]:
        return [card for told in self.sessions for card in told.struck]

    def figures(self) -> dict[str, Any]:
        recoveries = sorted(each for told in self.sessions for each in told.recoveries_s)
        return {
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "sessions": len(self.sessions),
            "orders": self.orders_each * len(self.sessions),
            "engines": sum(told.engines for told in self.sessions),
            "faults": len(self.struck),
            "faults_an_hour": round(3600 * len(self.struck) / self.seconds) if self.seconds else 0,
            "recovery_p50_s": _at(recoveries, 0.5),
            "recovery_p99_s": _at(recoveries, 0.99),
            "by_kind": dict(sorted(Counter(f"{card.kind} {card.target}" for card in self.struck).items())),
            "violations": self.violations,
            "evidence": None if self.evidence is None else str(self.evidence),
        }


def run(
    seconds: float, seed: int, *, cards: int | None = None, watch: Watch = lambda done, what: None
) -> Account:
    """Faults for so long, or so many of them, whichever is less; the last session is traded to its end.

    The folder of the world is kept when something was violated.
    """
    end_what_was_left()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    if this := ProcessId.of(os.getpid()):
        write_pid_file(folder / RUNNER, this)
    account = Account(seed)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(folder, account, seconds, cards, watch))
    finally:
        if account.violations:
            account.evidence = folder
            (folder / VERDICT).write_text(json.dumps(account.figures(), indent=2))
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return account


def end_what_was_left() -> None:
    """End the servers of runs that were killed, and remove their worlds; evidence stays."""
    for runner in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{RUNNER}"):
        folder = runner.parent
        if folder.stat().st_uid != os.geteuid() or read_pid_file(runner) is not None:
            continue
        end_orphans(Site(DataSettings(state_dir=folder)))
        if not (folder / VERDICT).exists():
            shutil.rmtree(folder, ignore_errors=True)


async def _run(folder: Path, account: Account, seconds: float, cards: int | None, watch: Watch) -> None:
    this = asyncio.current_task()
    assert this is not None, "a coroutine that runs is in a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)  # as Ctrl-C does
    deck, chance = Deck(account.seed), Random(account.seed)
    async with private_world(folder) as world:
        account.orders_each = world.wanted.height
        with (folder / "faults.jsonl").open("w") as journal:
            began = time.monotonic()

            def is_over() -> bool:
                done_s, faults = time.monotonic() - began, len(account.struck)
                watch(int(done_s), f"{faults} faults, {len(account.violations)} violations")
                return done_s >= seconds or (cards is not None and deck.played >= cards)

            while not is_over():
                turmoil = Turmoil(world, f"chaos-{len(account.sessions) + 1}", deck, chance, journal)
                account.sessions.append(turmoil.told)
                await turmoil.live(is_over)
                account.violations += turmoil.told.complaints + await violations(world, turmoil.told.account)
            account.seconds = time.monotonic() - began


def _at(ascending: list[float], share: float) -> float | None:
    """The value below which this share lies."""
    return round(ascending[min(len(ascending) - 1, int(share * len(ascending)))], 2) if ascending else None
