"""From a result to a draft of its record: inputs, files, figures, and its entry in the trial ledger."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from data import audit
from data.errors import UsageError
from data.lake import sha256
from data.runs import Draft, Kind, canonical, parquet
from data.trials import Entry, Moments, set_hashes
from research.records import origin
from research.records.inputs import Seen, Written, inputs_of, plain, sessions_traded, written
from research.records.provenance import Provenance, origin_of
from research.statistics import bars_per_year

INPUTS_FILE: Final = "inputs.json"
SOURCE_FILE: Final = "strategy.py"
SETS_FILE: Final = "sets.parquet"
UNKNOWN_BARS: Final = "its bars did not come from the lake by research.bars"
Floats = NDArray[np.float64]


class ChosenStrategy(Protocol):
    """A Strategy or a Portfolio with its parameters."""

    def params(self) -> dict[str, Any]: ...


class BacktestResult(Protocol):
    """What a record needs of a backtest."""

    @property
    def strategy(self) -> ChosenStrategy: ...
    @property
    def symbols(self) -> tuple[str, ...]: ...
    @property
    def capital(self) -> float: ...
    @property
    def costs(self) -> Any: ...
    @property
    def bars(self) -> pl.DataFrame: ...
    @property
    def orders(self) -> pl.DataFrame: ...
    @property
    def trades(self) -> pl.DataFrame: ...
    @property
    def equity(self) -> pl.DataFrame: ...
    @property
    def books(self) -> pl.DataFrame: ...
    @property
    def statistics(self) -> Mapping[str, Any]: ...


class BlockSums(Protocol):
    """Sums of returns by block, as research.passes.Blocks has them."""

    @property
    def first_ts_us(self) -> NDArray[np.int64]: ...
    @property
    def counts(self) -> Floats: ...
    @property
    def totals(self) -> Floats: ...
    @property
    def squares(self) -> Floats: ...


class SweepResult(Protocol):
    """What a record needs of a sweep: a row for each set, its parameters first."""

    @property
    def strategy(self) -> type[Any]: ...
    @property
    def frame(self) -> pl.DataFrame: ...
    @property
    def blocks(self) -> BlockSums: ...
    @property
    def capital(self) -> float: ...
    @property
    def costs(self) -> Any: ...
    @property
    def bars_per_year(self) -> float: ...
    @property
    def skipped(self) -> int: ...


def backtest_draft(result: BacktestResult, terms: Mapping[str, Any]) -> tuple[Draft, Entry]:
    """The draft of a backtest, which tried one set."""
    strategy, seen = written(type(result.strategy)), Seen.of(result.bars)
    params = result.strategy.params()
    files = {
        "orders.parquet": parquet(result.orders),
        "trades.parquet": parquet(result.trades),
        "equity.parquet": parquet(result.equity),
        "statistics.json": canonical(plain(result.statistics)),
    }
    if len(result.symbols) > 1:  # of one symbol the book is the equity
        files["books.parquet"] = parquet(result.books)
    inputs = inputs_of(
        "backtest", strategy, {"params": plain(params)}, seen, result.capital, result.costs, terms
    )
    draft = _draft("backtest", strategy, seen, inputs, result.statistics, files)
    sets = set_hashes(_writing(strategy, list(params)), [tuple(params.values())])
    sharpes = Moments.of([result.statistics.get("sharpe")])
    return draft, _entry(draft, seen, terms, sets, sharpes, bars_per_year(result.equity["ts_utc"]))


def sweep_draft(
    result: SweepResult, bars: pl.DataFrame, terms: Mapping[str, Any], search: str = ""
) -> tuple[Draft, Entry]:
    """The draft of a sweep.  How its sets were searched for does not matter: they are what was run."""
    if result.frame.is_empty():
        raise UsageError("the sweep ran no sets", "Give it at least one that the strategy does not refuse.")
    strategy, seen = written(result.strategy), Seen.of(bars)
    names = parameter_names(result.strategy, result.frame)
    sets = set_hashes(_writing(strategy, names), parameter_rows(result.frame, names))
    tried = {
        "sets": {
            "count": result.frame.height,
            "names": names,
            "sha256": sha256(sets.tobytes()),
        }
    }
    files = {SETS_FILE: parquet(result.frame), **_block_files(result.blocks)}
    inputs = inputs_of("sweep", strategy, tried, seen, result.capital, result.costs, terms)
    best = result.frame.sort("sharpe", descending=True, nulls_last=True, maintain_order=True).row(
        0, named=True
    )
    statistics = {"sets": result.frame.height, "skipped": result.skipped, "search": search, "best": best}
    draft = _draft("sweep", strategy, seen, inputs, statistics, files)
    sharpes = Moments.of(result.frame["sharpe"])
    return draft, _entry(draft, seen, terms, sets, sharpes, result.bars_per_year)


def validation_draft(
    strategy: ChosenStrategy,
    bars: pl.DataFrame,
    rows: pl.DataFrame,
    verdict: Mapping[str, Any],
    *,
    capital: float,
    costs: Any,
    terms: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> Draft:
    """The draft of a validation; what it tried on the way is in the ledger by the sweeps that tried it."""
    written_down, seen = written(type(strategy)), Seen.of(bars)
    tried = {"params": plain(strategy.params()), "settings": plain(settings)}
    inputs = inputs_of("validation", written_down, tried, seen, capital, costs, terms)
    files = {"checks.parquet": parquet(rows), "verdict.json": canonical(plain(verdict))}
    return _draft("validation", written_down, seen, inputs, verdict, files)


def parameter_names(strategy: type[Any], frame: pl.DataFrame) -> list[str]:
    """The columns of a sweep's frame that are parameters."""
    return [name for name in strategy.declared_params() if name in frame.columns]


def parameter_rows(frame: pl.DataFrame, names: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    """The parameters of each row; of a strategy without any, an empty row each."""
    return frame.select(names).iter_rows() if names else [()] * frame.height


def _draft(
    kind: Kind,
    strategy: Written,
    seen: Seen,
    inputs: Mapping[str, Any],
    statistics: Mapping[str, Any],
    files: Mapping[str, bytes],
) -> Draft:
    found = origin_of(seen.content)
    source = {} if strategy.source is None else {SOURCE_FILE: strategy.source.encode()}
    return Draft(
        kind=kind,
        family=strategy.family,
        inputs=inputs,
        bars=None if found is None else found.as_json(),
        snapshot=None if found is None else found.snapshot,
        first=seen.first,
        last=seen.last,
        statistics=plain(statistics),
        files={INPUTS_FILE: canonical(inputs), **source, **files},
        unrepeatable=_why_not_again(kind, strategy, found),
        code=origin.code(),
        created_by=audit.person(),
        where_from=origin.where_from(),
    )


def _why_not_again(kind: Kind, strategy: Written, found: Provenance | None) -> str | None:
    if kind == "validation":
        return "a validation is made again by validating"
    if strategy.unrepeatable is None and found is None:
        return UNKNOWN_BARS
    return strategy.unrepeatable


def _entry(
    draft: Draft,
    seen: Seen,
    terms: Mapping[str, Any],
    sets: NDArray[np.int64],
    sharpes: Moments,
    per_year: float,
) -> Entry:
    found = origin_of(seen.content)
    return Entry(
        family=draft.family,
        run_id=draft.id,
        bars_hash=f"{seen.content}{sessions_traded(terms)}",
        sets=sets,
        sharpes=sharpes,
        bars_per_year=per_year,
        symbols=seen.symbols,
        timeframe=None if found is None else found.shown_timeframe,
        snapshot=draft.snapshot,
        first=draft.first,
        last=draft.last,
        who=draft.created_by,
        where_from=draft.where_from,
    )


def _writing(strategy: Written, names: Sequence[str]) -> str:
    """One writing of a strategy: another source is another strategy, whatever its parameters are called."""
    return f"{strategy.name}\0{strategy.digest}\0{','.join(names)}\0"


def _block_files(blocks: BlockSums) -> dict[str, bytes]:
    times = pl.DataFrame({"first_ts_us": blocks.first_ts_us, "bars": blocks.counts})
    sums = {
        f"{name}_{number}": np.ascontiguousarray(column)
        for name, values in (("total", blocks.totals), ("square", blocks.squares))
        for number, column in enumerate(values.T, start=1)
    }
    return {"blocks.parquet": parquet(times), "block_sums.parquet": parquet(pl.DataFrame(sums))}
