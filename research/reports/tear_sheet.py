"""A backtest as one page: what came of it and how, under which terms, and how far it is to be believed."""

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from research.records import Record
from research.reports import account_panels, return_panels, trade_panels
from research.reports.believing import Checked, CheckRows, Origin, checked, origin_of
from research.reports.canvas import Panel
from research.reports.page import Report, figure, render
from research.reports.return_panels import MONTHS, Year, monthly_table
from research.reports.tables import by_symbol, drawdowns, sessions_in_words, terms, trades_in_words
from research.reports.words import number, params_in_words, percent, statistics_in_words

if TYPE_CHECKING:
    from research.backtest import Backtest
    from research.validation import Validation

PRICE_CHARTS_MAX: Final = 6
"""Symbols beyond these are in the table only."""

FOOTER: Final = "Past results of a rule say little about its future."


def report(
    backtest: "Backtest",
    validation: "Validation | CheckRows | None" = None,
    provenance: Mapping[str, object] | None = None,
) -> Report:
    """The tear sheet of a backtest.

    `validation`: what `validate` gave, or its rows.  Where the backtest is on record the page shows what the record
    says; `provenance` is what else is known of where the result came from, by name, and under "recorded" the Record
    or Unrecorded to show in place of the backtest's own.
    """
    record: object = backtest.record
    if (
        not isinstance(record, Record)
        and getattr(getattr(validation, "evidence", None), "result", None) is backtest
    ):
        record = getattr(validation, "record", None) or record  # of what is judged the judgement is on record
    return tear_sheet(backtest, checked(validation, backtest), origin_of(backtest, provenance, record=record))


def tear_sheet(backtest: "Backtest", verdict: Checked, origin: Origin) -> Report:
    """The page, with what is to be said of belief and origin."""
    page = render(
        "tear_sheet.html.j2",
        title=title_of_page(backtest),
        subtitle=_subtitle(backtest),
        verdict=verdict,
        origin=origin,
        tiles=_tiles(backtest),
        hero=[figure(panel, wide=True) for panel in _account(backtest)],
        figures=[figure(panel) for panel in _details(backtest)],
        monthly=_months(backtest),
        drawdowns=drawdowns(backtest),
        prices=[figure(panel, wide=len(backtest.symbols) == 1) for panel in _prices(backtest)],
        hidden_symbols=backtest.symbols[PRICE_CHARTS_MAX:],
        statistics=statistics_in_words(backtest),
        sessions=sessions_in_words(backtest),
        trades=trades_in_words(backtest),
        terms=terms(backtest),
        symbols=by_symbol(backtest),
        footer=FOOTER,
    )
    return Report(page, lambda: _picture(backtest, verdict, origin))


def report_html(backtest: "Backtest") -> str:
    """The page of the backtest alone, as text: what a database knows of it does not change its bytes."""
    return tear_sheet(backtest, checked(None), origin_of(backtest)).html


def equity_svg(backtest: "Backtest") -> str:
    """The equity curve alone, small enough for a line of metadata."""
    return account_panels.equity(backtest, benchmark=False).chart(5.0, 1.6).svg


def summary_html(backtest: "Backtest") -> str:
    """What a notebook shows for a backtest: the curve and the numbers."""
    rows = "".join(
        f"<tr><td style='text-align:left'>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in statistics_in_words(backtest)
    )
    title = html.escape(f"{backtest.strategy!r} on {', '.join(backtest.symbols)}")
    curve = account_panels.equity(backtest).chart(6.5, 2.4).svg
    return (
        f"<b>{title}</b><div style='display:flex;gap:24px;flex-wrap:wrap;align-items:start'>"
        f"<div style='max-width:620px'>{curve}</div><table>{rows}</table></div>"
    )


def title_of_page(backtest: "Backtest") -> str:
    """The strategy and what it traded, without a list that fills the screen."""
    symbols = ", ".join(backtest.symbols[:5])
    more = len(backtest.symbols) - 5
    return f"{type(backtest.strategy).__name__} on {symbols}{f' and {more} more' if more > 0 else ''}"


def _subtitle(backtest: "Backtest") -> str:
    first, last = backtest.equity["ts_utc"][0], backtest.equity["ts_utc"][-1]
    span = f"{first:%-d %b %Y} to {last:%-d %b %Y}" if first.date() != last.date() else f"{first:%-d %b %Y}"
    count = len(backtest.equity)
    bars = f"{count:,} bar{'s' if count > 1 else ''}"
    return f"{span} · {bars} · {params_in_words(backtest.strategy.params())}"


def _tiles(backtest: "Backtest") -> list[dict[str, str]]:
    s = backtest.statistics
    tone = "up" if s["total_return"] > 0 else "down" if s["total_return"] < 0 else ""
    return [
        {"name": "total return", "value": percent(s["total_return"]), "tone": tone},
        {"name": "per year (CAGR)", "value": percent(s["cagr"]), "tone": ""},
        {"name": "Sharpe ratio", "value": number(s["sharpe"]), "tone": ""},
        {"name": "deepest drawdown", "value": percent(s["max_drawdown"]), "tone": ""},
        {"name": "closed trades", "value": number(s["trades"], 0), "tone": ""},
        {"name": "winning trades", "value": percent(s["win_rate"]), "tone": ""},
    ]


def _account(backtest: "Backtest") -> list[Panel]:
    return [account_panels.equity(backtest), account_panels.drawdown(backtest)]


def _details(backtest: "Backtest") -> list[Panel]:
    return [
        return_panels.rolling(backtest),
        return_panels.annual(backtest),
        account_panels.exposure_by_symbol(backtest),
        account_panels.costs(backtest),
        trade_panels.trade_returns(backtest),
        trade_panels.trade_lengths(backtest),
    ]


def _prices(backtest: "Backtest") -> list[Panel]:
    return [trade_panels.prices(backtest, symbol) for symbol in backtest.symbols[:PRICE_CHARTS_MAX]]


def _months(backtest: "Backtest") -> dict[str, Any]:
    years = monthly_table(backtest)
    moved = [abs(value) for each in years for value in each.months if value is not None]
    reach = max(moved, default=0.0) or 1.0
    return {"names": MONTHS, "years": [_cells(each, reach) for each in years]}


def _cells(year: Year, reach: float) -> dict[str, Any]:
    """A cell's colour is as strong as its return is large; its sign is in the number too."""

    def cell(value: float | None) -> dict[str, str]:
        if value is None:
            return {"text": "", "tone": "", "strength": "0"}
        tone = "gain" if value > 0.0 else "loss" if value < 0.0 else ""
        return {"text": f"{value * 100.0:z.1f}", "tone": tone, "strength": f"{abs(value) / reach * 55.0:.0f}"}

    whole = "" if year.whole is None else f"{year.whole * 100.0:z.1f}"
    return {"year": year.year, "months": [cell(value) for value in year.months], "whole": whole}


def _picture(backtest: "Backtest", verdict: Checked, origin: Origin) -> bytes:
    from research.reports.picture import Grid, picture

    tables = [
        ("Statistics", statistics_in_words(backtest)),
        ("Trades", trades_in_words(backtest)),
        ("Under these terms", terms(backtest)),
    ]
    rows = [
        (check.name, check.value, check.threshold, check.verdict, check.explanation)
        for check in verdict.checks
    ]
    head = ("check", "value", "threshold", "verdict", "what it says")
    found = [Grid("Validation", head, rows, starts=(0.0, 0.14, 0.2, 0.46, 0.53))] if rows else []
    return picture(
        title_of_page(backtest),
        _subtitle(backtest),
        tiles=[(tile["name"], tile["value"]) for tile in _tiles(backtest)],
        signs=[(verdict.says, verdict.tone == "good"), (origin.ledger, origin.recorded)],
        wide=[*_account(backtest), return_panels.monthly(backtest)],
        narrow=[*_details(backtest), *_prices(backtest)],
        tables=tables,
        grids=found,
        notes=[f"{name}: {value}" for name, value in (*verdict.chosen, *origin.rows)],
    )
