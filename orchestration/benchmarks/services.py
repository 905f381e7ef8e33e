"""How long the embedded servers take: a first start, a later one, a start after a crash, and the stop."""

import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from data.settings import DataSettings
from infra.local.launch import bring_up, take_down
from infra.local.orphans import orphans
from infra.local.processes import ProcessId, wait_for
from infra.local.site import Site
from infra.local.tenure import holder
from infra.settings import InfraSettings

SERVERS: Final = ("postgres", "valkey")
DIES_WITHIN_S: Final = 5.0
# What docs/local-system.md promises.
COLD: Final = "first start, nothing there"
WARM: Final = "start with existing data"
CRASHED: Final = "start after kill -9 of everything"
STOP: Final = "stop"
TARGETS_S: Final = {COLD: 5.0, WARM: 2.0, CRASHED: 5.0, STOP: 10.0}


@dataclass(frozen=True)
class ServiceTime:
    """The rounds of one case, in seconds, and what was promised for it."""

    case: str
    seconds: tuple[float, ...]
    target_s: float

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds)


def measure_services(rounds: int) -> Iterator[ServiceTime]:
    """PostgreSQL and Valkey, migrated and ready for work, in folders of their own: as `slipway up` counts."""
    seconds: dict[str, list[float]] = {case: [] for case in TARGETS_S}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="slipway-bench-") as folder:
            for case, took_s in _one_life(_site_in(Path(folder))):
                seconds[case].append(took_s)
    for case, target_s in TARGETS_S.items():
        yield ServiceTime(case, tuple(seconds[case]), target_s)


def _site_in(folder: Path) -> Site:
    """Whatever servers and ports the person uses, these are embedded and wherever there is room."""
    data = DataSettings().model_copy(
        update={"state_dir": folder, "database_url": None, "redis_url": None, "exchange_url": None}
    )
    return Site(data, InfraSettings().model_copy(update={"postgres_port": None, "valkey_port": None}))


def _one_life(site: Site) -> Iterator[tuple[str, float]]:
    try:
        for case in (COLD, WARM):
            with _stopwatch() as watch:
                bring_up(site, SERVERS)
            yield case, watch.seconds
            with _stopwatch() as watch:
                take_down(site)
            yield STOP, watch.seconds
        bring_up(site, SERVERS)
        _kill_everything(site)
        with _stopwatch() as watch:
            bring_up(site, SERVERS)
        yield CRASHED, watch.seconds
    finally:
        take_down(site)


def _kill_everything(site: Site) -> None:
    processes: list[ProcessId] = [each for each in (holder(site), *orphans(site).values()) if each]
    for process in processes:
        process.send(signal.SIGKILL)
    wait_for(lambda: not any(process.is_alive() for process in processes), DIES_WITHIN_S)


@dataclass
class _Watch:
    seconds: float = 0.0


@contextmanager
def _stopwatch() -> Iterator[_Watch]:
    watch, started = _Watch(), time.perf_counter()
    yield watch
    watch.seconds = time.perf_counter() - started
