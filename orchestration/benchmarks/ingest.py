"""The whole way of bars into the lake against ArcticDB writing the same frames, and the memory a long one takes."""

import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from data.ingest import ingest
from data.migrations import upgrade
from data.postgres import connect
from data.progress import Progress, silent
from data.storage import Folder
from infra.local.embedded import embedded_postgres
from orchestration.benchmarks.contest import Contestant, Timed, alternate
from orchestration.benchmarks.market import EndlessMinutes, FramesInMemory, minutes
from orchestration.benchmarks.peers import peer

MINUTES_A_DAY: Final = 1440
FIRST_DAY: Final = date(2017, 1, 1)


def compare_ingest(rows: int = 5_000_000, symbols: int = 20, rounds: int = 3) -> Iterator[Timed]:
    """Ours: validate, encode with checksums, write and sync, enter in the catalog.  Theirs: write the same frames."""
    market, sessions = minutes(rows, symbols)
    held = sum(frame.height for frame in market.frames.values())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        url = stack.enter_context(embedded_postgres(folder / "postgres", durable=True)).url()
        upgrade(url)
        lake, arctic = folder / "lake", folder / "arctic"

        def empty() -> None:
            shutil.rmtree(lake, ignore_errors=True)
            with connect(url) as connection:
                connection.execute("truncate catalog, lake_files, snapshots, candles cascade")

        def ours() -> None:
            done = ingest(
                market, market.symbols(), sessions[0].day, sessions[-1].day,
                storage=Folder(lake), database_url=url, with_candles=False,
            )  # fmt: skip
            if done.rows != held or done.failed:
                raise AssertionError(f"{done.rows} of {held} rows came in: {done.failed[:1]}")

        yield from alternate(
            [
                Contestant("ingest", "slipway", ours, held, empty),
                Contestant("ingest", "ArcticDB", *_arctic(market, arctic, held)),
            ],
            rounds,
        )


def _arctic(market: FramesInMemory, folder: Path, held: int) -> tuple[Any, int, Any]:
    arcticdb = peer("arcticdb", "ArcticDB", "./slipway bench ingest")
    frames = {
        symbol: frame.drop("symbol")
        .with_columns(frame["ts_utc"].dt.replace_time_zone(None))
        .to_pandas()
        .set_index("ts_utc")
        for symbol, frame in market.frames.items()
    }
    libraries: list[Any] = []

    def empty() -> None:
        # A folder of its own for each round: LMDB does not bear that an open one is deleted.
        store = arcticdb.Arctic(f"lmdb://{folder}-{len(libraries)}?map_size=8GB")
        libraries.append(store.create_library("bars"))

    def write() -> None:
        for symbol, frame in frames.items():
            libraries[-1].write(symbol, frame)

    return write, held, empty


@dataclass(frozen=True, slots=True)
class Memory:
    """What an ingest of many rows took."""

    rows: int
    resident_before_bytes: int
    resident_peak_bytes: int


def measure_memory(rows: int, symbols: int = 20, progress: Progress = silent) -> Memory:
    """Ingest so many rows, in this process, from a source that keeps none of them."""
    days = max(1, rows // symbols // MINUTES_A_DAY)
    names = [f"COIN{number}/USD" for number in range(symbols)]
    before = _peak_bytes()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        url = stack.enter_context(embedded_postgres(folder / "postgres", durable=True)).url()
        upgrade(url)
        done = ingest(
            EndlessMinutes(), names, FIRST_DAY, FIRST_DAY + timedelta(days=days - 1),
            storage=Folder(folder / "lake"), database_url=url, progress=progress,
        )  # fmt: skip
    return Memory(done.rows, before, _peak_bytes())


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
