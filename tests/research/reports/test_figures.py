"""What a page shows adds up: to the money that was paid, to the total return, to the drawdowns of the curve."""

import re
from typing import Any

import empyrical
import numpy as np
import polars as pl
import pytest

from data.instruments import ACTION_SCHEMA
from execution.strategy import CostModel, Feature, Portfolio, Strategy, constant, price, sma
from research import Backtest, backtest
from research.reports import report
from research.reports.canvas import tick
from research.reports.holdings import buy_and_hold, exposure, money
from research.reports.return_panels import monthly_table
from research.reports.tables import drawdowns, terms
from research.strategies.buy_and_hold import BuyAndHold
from research.strategies.pairs import Pairs


class BothWays(Strategy):
    """Leveraged above its average, short below: every charge there is."""

    def features(self) -> dict[str, Feature]:
        return {"close": price("close"), "mean": sma("close", 15)}

    @staticmethod
    def decide(x: Any) -> float:
        return 1.8 if x.close > x.mean else -0.9


DEAR = CostModel(
    slippage_bps=3.0, commission_bps=2.0, commission_min=1.0, borrow_bps=400.0, interest_bps=700.0
)


@pytest.fixture(scope="module")
def charged(walk: Any) -> Backtest:
    bars = pl.concat([walk("AAA", 420, 1, per_day=1, volatility=0.01), walk("BBB", 420, 2, per_day=1)])
    return backtest(BothWays(), bars, costs=DEAR, leverage=2.0, record=False)


def traded_without_costs(done: Backtest) -> float:
    """What the fills would have made at the bars' opens, with the last holding worth its close."""
    made = 0.0
    for symbol in done.symbols:
        bars = done.bars.filter(pl.col("symbol") == symbol)
        opens = dict(bars.select("ts_utc", "open").iter_rows())
        held = 0.0
        for row in done.orders.filter(
            (pl.col("symbol") == symbol) & pl.col("fill_price").is_not_null()
        ).iter_rows(named=True):
            qty = row["qty"] if row["side"] == "buy" else -row["qty"]
            made -= qty * opens[row["fill_ts_utc"]]
            held += qty
        made += held * bars["close"][-1]
    return made


def nightly(done: Backtest) -> tuple[float, float]:
    """(borrow fees, interest), walked night by night in plain Python."""
    borrow = interest = 0.0
    for symbol in done.symbols:
        bars = done.bars.filter(pl.col("symbol") == symbol)
        fills = {row["fill_ts_utc"]: row for row in done.orders.filter(pl.col("symbol") == symbol).to_dicts()}
        cash, held = done.capital / len(done.symbols), 0.0
        before = None
        for bar in bars.iter_rows(named=True):
            nights = (bar["ts_utc"].date() - before["ts_utc"].date()).days if before else 0
            owed = max(-cash, 0.0) * 0.07 * nights / 365
            lent = max(-held, 0.0) * before["close"] * 0.04 * nights / 365 if before else 0.0
            borrow, interest, cash = borrow + lent, interest + owed, cash - owed - lent
            if (fill := fills.get(bar["ts_utc"])) is not None:
                qty = fill["qty"] if fill["side"] == "buy" else -fill["qty"]
                cash -= qty * fill["fill_price"] + fill["commission"]
                held += qty
            before = bar
    return borrow, interest


def test_the_cost_breakdown_is_what_was_paid_and_leads_from_the_gross_result_to_the_net_one(
    charged: Backtest,
) -> None:
    told = dict(money(charged))
    filled = charged.orders.filter(pl.col("fill_price").is_not_null())
    opens = charged.bars.select("symbol", pl.col("ts_utc").alias("fill_ts_utc"), "open")
    slipped = filled.join(opens, on=["symbol", "fill_ts_utc"])
    borrow, interest = nightly(charged)
    paid = {
        "commission": filled["commission"].sum(),
        "slippage": float(((slipped["fill_price"] - slipped["open"]).abs() * slipped["qty"]).sum()),
        "borrow": borrow,
        "interest": interest,
    }
    assert all(amount > 1.0 for amount in paid.values())
    for name, amount in paid.items():
        assert told[name] == pytest.approx(-amount, rel=1e-9)
    assert told["gross"] == pytest.approx(traded_without_costs(charged), rel=1e-9)
    assert told["net"] == pytest.approx(charged.equity["equity"][-1] - charged.capital, abs=1e-9)
    assert told["gross"] - sum(paid.values()) == pytest.approx(told["net"], rel=1e-9)


def test_months_compound_to_their_year_and_years_to_the_total_return(charged: Backtest) -> None:
    table = monthly_table(charged)
    assert len(table) > 1
    whole = 1.0
    for year in table:
        months = np.prod([1.0 + month for month in year.months if month is not None])
        assert months - 1.0 == pytest.approx(year.whole, rel=1e-12)
        whole *= 1.0 + (year.whole or 0.0)
    assert whole - 1.0 == pytest.approx(charged.statistics["total_return"], rel=1e-12)


@pytest.mark.full
def test_the_page_shows_these_months_and_years(charged: Backtest) -> None:
    page = report(charged).html
    table = page[page.index('<table class="months">') :]
    table = table[: table.index("</table>")]
    shown = re.findall(r"<td[^>]*>([-0-9.]*)</td>", table)
    told = [[*year.months, year.whole] for year in monthly_table(charged)]
    assert shown == ["" if value is None else f"{value * 100:z.1f}" for year in told for value in year]


@pytest.mark.full
def test_the_deepest_drawdown_is_that_of_empyrical_and_each_is_between_its_dates(walk: Any) -> None:
    done = backtest(BuyAndHold(), walk(bars=250, seed=4, per_day=1, volatility=0.01), record=False)
    rows = drawdowns(done)
    equity = done.equity["equity"].to_numpy()
    returns = equity / np.concatenate(([done.capital], equity[:-1])) - 1.0
    assert rows[0][0] == f"{empyrical.max_drawdown(returns) * 100.0:.2f} %"
    days = {f"{stamp:%-d %b %Y}": place for place, stamp in enumerate(done.equity["ts_utc"])}
    assert len(rows) == 5
    for depth, high, bottom, back, down, _ in rows:
        fell = equity[days[bottom]] / equity[days[high]] - 1.0
        assert depth == f"{fell * 100.0:.2f} %"
        assert down == str(days[bottom] - days[high])
        assert back == "not yet" or equity[days[back]] >= equity[days[high]]
    assert rows == sorted(rows, key=lambda row: float(row[0].split()[0]))


def test_holding_knows_splits_and_dividends(walk: Any) -> None:
    whole = walk("AAA", 40, 3, per_day=1)
    days = whole["ts_utc"].dt.date()
    after = pl.col("ts_utc") >= whole["ts_utc"][20]
    raw = whole.with_columns(pl.when(after).then(pl.col(name) / 2.0).otherwise(pl.col(name)).alias(name)
                             for name in ("open", "high", "low", "close"))  # fmt: skip
    actions = pl.DataFrame(
        [("AAA", days[20], "split", 2.0, None), ("AAA", days[30], "dividend", None, 0.7)],
        schema=ACTION_SCHEMA,
        orient="row",
    )
    free = CostModel(slippage_bps=0.0)
    done = backtest(BuyAndHold(), raw, costs=free, actions=actions, capital=1e6, record=False)
    first = whole["close"][0]
    expected = whole["close"].to_numpy() + np.where(np.arange(40) >= 30, 1.4, 0.0)
    assert buy_and_hold(done) == pytest.approx(1e6 * expected / first, rel=1e-12)

    shares = exposure(done).shares["AAA"]
    held = np.zeros(40)
    held[1:] = done.orders["qty"][0]
    held[20:] *= 2.0
    assert shares == pytest.approx(
        held * raw["close"].to_numpy() / done.equity["equity"].to_numpy(), rel=1e-12
    )


def test_exposure_is_the_mean_of_what_stood_in_each_symbol(charged: Backtest) -> None:
    found = exposure(charged, columns=60)
    assert found.bars_per_column == 420 / 60
    for symbol in charged.symbols:
        bars = charged.bars.filter(pl.col("symbol") == symbol)
        fills = {
            row["fill_ts_utc"]: row for row in charged.orders.filter(pl.col("symbol") == symbol).to_dicts()
        }
        held, worth = 0.0, []
        for stamp, close in bars.select("ts_utc", "close").iter_rows():
            if (fill := fills.get(stamp)) is not None:
                held += fill["qty"] if fill["side"] == "buy" else -fill["qty"]
            worth.append(held * close)
        share = np.array(worth) / charged.equity["equity"].to_numpy()
        assert found.shares[symbol] == pytest.approx(share.reshape(60, 7).mean(axis=1), rel=1e-9)


@pytest.mark.full
def test_the_terms_say_how_a_run_was_filled(walk: Any) -> None:
    bars = pl.concat([walk("AAA", 60, 1), walk("BBB", 60, 2)])

    def told(**how: Any) -> dict[str, str]:
        strategy = how.pop("strategy", BuyAndHold())
        return dict(terms(backtest(strategy, bars, record=False, **how)))

    usual = told()
    assert (usual["Books"], usual["Fills"]) == ("2 of 50,000.00", "at the next open")
    assert told(fill="close")["Fills"] == "at the deciding close: a study"
    assert told(delay_bars=1)["Fills"] == "at the next open, 1 bar late"
    assert told(leverage=3.0)["Leverage"] == "at most 3"
    assert issubclass(Pairs, Portfolio)
    assert told(strategy=Pairs())["Books"] == "one account for all"


@pytest.mark.full
def test_what_never_traded_paid_nothing(walk: Any) -> None:
    class Never(Strategy):
        def features(self) -> dict[str, Feature]:
            return {"none": constant(0.0)}

        @staticmethod
        def decide(x: Any) -> float:
            return float(x.none)

    told = money(backtest(Never(), walk(bars=50), costs=DEAR, record=False))
    assert [amount for _, amount in told] == [0.0] * 6


@pytest.mark.parametrize(
    ("value", "shown"),
    [(-7.5, "-7.5"), (100_000.0, "100,000"), (-0.0, "0"), (0.25, "0.25"), (1e-9, "0"), (-12.0, "-12")],
)
def test_a_tick_says_the_number_at_which_it_stands(value: float, shown: str) -> None:
    assert tick(value) == shown
