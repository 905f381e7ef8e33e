"""From a result to an artifact: what was researched, on what, and everything needed to run it again."""

import hashlib
import io
from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from data import actions, artifacts, audit, query
from data.artifacts import SCHEMA, Artifact, Costs, Manifest, PinnedPartition
from data.catalog import Piece
from data.errors import Refused
from data.postgres import connect, one
from data.registry import Version, register
from data.settings import ROOT
from execution.deployments import TIMING
from execution.strategy import CostModel, Portfolio, Rule, Strategy, strategy_source
from execution.strategy.arrays import BarArrays
from research.backtest import Backtest, backtest
from research.passes.books import charges_nights
from research.records import bars, provenance_of
from research.records.inputs import family_of
from research.records.origin import commit_of_checkout
from research.reports import report_html


def publish(
    strategy: Rule,
    symbols: list[str],
    first: date,
    last: date,
    *,
    capital: float,
    costs: CostModel | None = None,
    trials: int = 1,
    source: str = "synthetic",
    timeframe: str = "1m",
    author: str | None = None,
) -> tuple[Version, Backtest]:
    """Backtest `strategy` on the catalogued bars, sign what came of it, and enter it in the registry.

    The same strategy on the same data gives the same artifact, so publishing twice changes nothing.  What execution
    would not trade as it was researched is refused before anything is computed.
    """
    costs = costs or CostModel()
    made = _tradable(strategy, costs)
    universe = sorted(set(symbols))  # a symbol named twice is still one book
    seen = bars(universe, timeframe, first, last, source=source)
    origin = provenance_of(seen)
    pieces = query.find(
        universe, timeframe, first, last, source=source, as_of=origin.snapshot if origin else None
    )
    _refuse_actions(source, universe, first, last)
    result = backtest(made, seen, capital=capital, costs=costs)
    snapshot, as_of = _newest_publication(pieces)
    begins = str(min(piece.first for piece in pieces))
    commit, dirty = commit_of_checkout()
    manifest = Manifest(
        schema=SCHEMA,
        strategy=family_of(type(strategy)),
        class_name=type(strategy).__name__,
        params=strategy.params(),
        universe=universe,
        source=source,
        timeframe=timeframe,
        timing=TIMING,
        capital=capital,
        costs=Costs(costs.slippage_bps, costs.commission_bps, costs.commission_min),
        anchor=begins,
        trade_from=begins,
        last_session=str(max(piece.last for piece in pieces)),
        warm_up_bars=_warm_up(made, result.bars),
        snapshot=snapshot,
        partitions=[PinnedPartition(piece.path, piece.sha256) for piece in pieces],
        git_commit=commit,
        git_dirty=dirty,
        lock_sha256=hashlib.sha256((ROOT / "requirements" / "lock.txt").read_bytes()).hexdigest(),
        trials=trials,
        metrics={name: None if value is None else float(value) for name, value in result.statistics.items()},
        as_of=as_of.astimezone(UTC).isoformat(),
        author=author or audit.person(),
        files={},
    )
    digest = artifacts.publish(manifest, _files(made, result))
    with connect() as connection:
        return register(connection, artifacts.load(digest)), result


def _tradable(strategy: Rule, costs: CostModel) -> Strategy | Portfolio:
    """The rule, if a running engine gives the backtest's decisions and pays the backtest's costs."""
    name = type(strategy).__name__
    if not isinstance(strategy, Strategy | Portfolio):
        raise Refused(f"{name} decides nothing", "Publish a Strategy or a Portfolio.")
    inexact = [feature for feature, spec in strategy.feature_specs().items() if not spec.exact]
    if inexact:
        raise Refused(
            f"{name} reads {', '.join(inexact)}, made by a function over whole columns, whose bits may differ live",
            "Write it with bar_by_bar.",
        )
    if charges_nights(costs):
        raise Refused(
            "execution books neither borrow fees nor interest yet, so its account would not be the backtest's",
            "Publish with a cost model of slippage and commission.",
        )
    return strategy


def _refuse_actions(source: str, universe: list[str], first: date, last: date) -> None:
    with connect() as connection:
        known = actions.known(connection, source, universe)
    inside = known.filter(pl.col("session").is_between(first, last))
    if not inside.is_empty():
        symbol, session, kind = inside.select("symbol", "session", "kind").row(0)
        raise Refused(
            f"{symbol} has a {kind} on {session}, and execution books neither splits nor dividends yet",
            "Publish on sessions without one.",
        )


def pinned_bars(artifact: Artifact) -> pl.DataFrame:
    """The very bytes that the artifact's research saw."""
    manifest = artifact.manifest
    wanted = {partition.path: partition.sha256 for partition in manifest.partitions}
    found = query.find(
        manifest.universe,
        manifest.timeframe,
        date.fromisoformat(manifest.anchor),
        date.fromisoformat(manifest.last_session),
        source=manifest.source,
        as_of=manifest.snapshot,
    )
    return query.read([piece for piece in found if wanted.get(piece.path) == piece.sha256])


def _files(strategy: Rule, result: Backtest) -> dict[str, bytes]:
    return {
        "strategy.py": strategy_source(type(strategy)).encode(),
        "backtest/orders.parquet": _parquet(result.orders),
        "backtest/equity.parquet": _parquet(result.equity),
        "report.html": report_html(result).encode(),
    }


def _parquet(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_parquet(sink, compression="zstd")
    return sink.getvalue()


def _newest_publication(pieces: list[Piece]) -> tuple[int, datetime]:
    """The snapshot in which the last of these sessions became visible: later ones saw the same bars."""
    with connect() as connection:
        row = one(
            connection.execute(
                "select id, created_at from snapshots where id = %s", [max(piece.since for piece in pieces)]
            )
        )
    return int(row["id"]), row["created_at"]


def _warm_up(strategy: Rule, bars: pl.DataFrame) -> int:
    """Bars before every feature has its first value."""
    first = BarArrays.of(bars.filter(pl.col("symbol") == bars["symbol"][0]))
    table = np.stack([spec.batch(first) for spec in strategy.feature_specs().values()])
    ready = ~np.isnan(table).any(axis=0)
    return int(ready.argmax()) if ready.any() else len(first)
