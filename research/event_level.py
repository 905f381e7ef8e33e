"""The same backtest, once more by the engine that trades: bar by bar through gateway, ledger and exchange."""

from data.errors import UsageError
from execution.rehearsal import rehearse_strategy
from research.backtest import Backtest
from research.parity import Parity, compare_orders


def event_level(of: Backtest, timeframe: str = "1m") -> Parity:
    """Its orders against those that the engine sends on the same bars under the same costs."""
    unknown = _not_known_to_execution(of)
    if unknown is not None:
        raise UsageError(f"the engine that trades knows no {unknown}", "Leave it out, or use --engine fused.")
    first = of.equity["ts_utc"][0]
    sent = rehearse_strategy(
        of.strategy, of.bars, of.symbols,
        capital=of.capital, costs=of.costs, timeframe=timeframe, trade_from=first,
    )  # fmt: skip
    return compare_orders(of.orders, sent)


def _not_known_to_execution(of: Backtest) -> str | None:
    """What its terms have that a broker decides, or that execution does not do."""
    terms = of.terms
    asked = {
        f"fill at the {terms.fill}": terms.fill != "next_open",
        f"lot of {terms.lot:g}": terms.lot != 1.0,
        f"delay of {terms.delay_bars} bars": terms.delay_bars != 0,
        "borrow fees or interest of its own": terms.costs.borrow_bps > 0.0 or terms.costs.interest_bps > 0.0,
        "splits and dividends yet": of.actions is not None and not of.actions.is_empty(),
    }
    return next((what for what, is_asked in asked.items() if is_asked), None)
