"""A backtest as one self-contained HTML page: no network, readable on a phone."""

import html
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from data.errors import UsageError
from research.charts import drawdown_chart, equity_chart, price_chart

if TYPE_CHECKING:
    from jinja2 import Template

    from research.backtest import Backtest

PRICE_CHARTS_MAX: Final = 6
"""Symbols beyond these are in the table only."""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished page; notebooks show it."""

    html: str

    def save(self, path: str | Path) -> Path:
        """Write the page and say where."""
        target = Path(path)
        try:
            target.write_text(self.html, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"the report cannot be written to {target}: {error.strerror}", "Choose a folder that exists."
            ) from None
        return target.resolve()

    def _repr_html_(self) -> str:
        page = html.escape(self.html, quote=True)
        return f'<iframe srcdoc="{page}" style="width:100%;height:900px;border:0" title="report"></iframe>'


def report(backtest: "Backtest") -> Report:
    """The page: equity, drawdown, prices with fills, statistics and the terms they hold under."""
    first, last = backtest.equity["ts_utc"][0], backtest.equity["ts_utc"][-1]
    prices = []
    for symbol in backtest.symbols[:PRICE_CHARTS_MAX]:
        chart, shown = price_chart(backtest, symbol)
        prices.append({"symbol": symbol, "shown": shown, "svg": chart.svg})
    page = _template().render(
        title=f"{type(backtest.strategy).__name__} on {', '.join(backtest.symbols)}",
        subtitle=f"{first:%-d %b %Y} to {last:%-d %b %Y} · {len(backtest.equity):,} bars · {_params(backtest)}",
        tiles=_tiles(backtest),
        equity=equity_chart(backtest).svg,
        drawdown=drawdown_chart(backtest).svg,
        prices=prices,
        statistics=statistics_in_words(backtest),
        terms=_terms(backtest),
        symbols=_by_symbol(backtest),
        footer="Decided at each close, filled at the next open. Past results of a rule say little about its future.",
    )
    return Report(page)


def report_html(backtest: "Backtest") -> str:
    """The page as text."""
    return report(backtest).html


def equity_svg(backtest: "Backtest") -> str:
    """The equity curve alone, small enough for a line of metadata."""
    return equity_chart(backtest, width=5.0, height=1.6, benchmark=False).svg


def summary_html(backtest: "Backtest") -> str:
    """What a notebook shows for a backtest: the curve and the numbers."""
    rows = "".join(
        f"<tr><td style='text-align:left'>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in statistics_in_words(backtest)
    )
    title = html.escape(f"{backtest.strategy!r} on {', '.join(backtest.symbols)}")
    curve = equity_chart(backtest, width=6.5, height=2.4).svg
    return (
        f"<b>{title}</b><div style='display:flex;gap:24px;flex-wrap:wrap;align-items:start'>"
        f"<div style='max-width:620px'>{curve}</div><table>{rows}</table></div>"
    )


def statistics_in_words(backtest: "Backtest") -> list[tuple[str, str]]:
    """(name, value) of every statistic as a person reads it."""
    s = backtest.statistics
    return [
        ("Total return", _percent(s["total_return"])),
        ("Growth per year (CAGR)", _percent(s["cagr"])),
        ("Sharpe ratio", _number(s["sharpe"])),
        ("Sortino ratio", _number(s["sortino"])),
        ("Deepest drawdown", _percent(s["max_drawdown"])),
        ("Closed trades", _number(s["trades"], 0)),
        ("Winning trades", _percent(s["win_rate"])),
        ("Time in the market", _percent(s["exposure"])),
        ("Turnover per year", "–" if s["turnover"] is None else f"{s['turnover']:,.0f} ×"),
        ("Commission paid", _number(s["commission"])),
        ("Slippage paid", _number(s["slippage"])),
    ]


def _tiles(backtest: "Backtest") -> list[dict[str, str]]:
    s = backtest.statistics
    tone = "up" if s["total_return"] > 0 else "down" if s["total_return"] < 0 else ""
    return [
        {"name": "total return", "value": _percent(s["total_return"]), "tone": tone},
        {"name": "Sharpe ratio", "value": _number(s["sharpe"]), "tone": ""},
        {"name": "deepest drawdown", "value": _percent(s["max_drawdown"]), "tone": ""},
        {"name": "closed trades", "value": _number(s["trades"], 0), "tone": ""},
        {"name": "winning trades", "value": _percent(s["win_rate"]), "tone": ""},
    ]


def _terms(backtest: "Backtest") -> list[tuple[str, str]]:
    costs = backtest.costs
    return [
        ("Strategy", type(backtest.strategy).__name__),
        *((name, str(value)) for name, value in backtest.strategy.params().items()),
        ("Capital", f"{backtest.capital:,.2f}"),
        ("Books", f"{len(backtest.symbols)} of {backtest.capital / len(backtest.symbols):,.2f}"),
        ("Slippage", f"{costs.slippage_bps:g} bps"),
        ("Commission", f"{costs.commission_bps:g} bps, at least {costs.commission_min:g}"),
        ("Lot", f"{backtest.lot:g}"),
    ]


def _by_symbol(backtest: "Backtest") -> list[list[str]]:
    rows = []
    for symbol in backtest.symbols:
        equity = backtest.books.filter(pl.col("symbol") == symbol)["equity"]
        profit = backtest.trades.filter(pl.col("symbol") == symbol)["profit"].drop_nulls()
        made = equity[-1] / (backtest.capital / len(backtest.symbols)) - 1.0
        none = profit.is_empty()
        rows.append(
            [
                symbol,
                _percent(made),
                str(len(profit)),
                _percent(None if none else float((profit > 0).sum()) / len(profit)),
                *(_number(None if none else value) for value in (profit.mean(), profit.max(), profit.min())),
            ]
        )
    return rows


def _params(backtest: "Backtest") -> str:
    return (
        ", ".join(f"{name} {value}" for name, value in backtest.strategy.params().items()) or "no parameters"
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100.0:,.2f} %"


def _number(value: Any, digits: int = 2) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


@cache
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("research", "templates")
    return Environment(loader=loader, autoescape=True, trim_blocks=True).get_template("report.html.j2")
