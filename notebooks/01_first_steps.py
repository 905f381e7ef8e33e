# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # First steps
#
# From market data to a strategy, a sweep, a backtest and a report. Everything here runs the code that later
# trades: the `decide` you write is compiled once, and sweep, backtest, paper and live call that machine code.
#
# Start the local system first (`./slipway up`); no keys and no network are needed.

# %%
from datetime import date

from IPython.display import display

from data.ingest import ingest
from data.sources import source
from execution.strategy import Strategy, constant, param, price, sma, strategy_source
from research import CostModel, backtest, bars, report, sweep
from research.oracle import check
from research.reports import closes_chart, drawdown_chart, equity_chart, price_chart
from research.strategies.crossover import Crossover

# %% [markdown]
# ## 1. Market data
#
# The synthetic market is seeded: the same bars on every machine. Ingesting again changes nothing.

# %%
SYMBOLS = ["AAA", "BBB", "CCC"]
FIRST, LAST = date(2026, 8, 3), date(2026, 9, 30)

ingest(source("synthetic"), SYMBOLS, FIRST, LAST)

# %%
minutes = bars(SYMBOLS, "1m", FIRST, LAST)
minutes.head()

# %%
closes_chart(minutes)

# %% [markdown]
# ## 2. A strategy
#
# A strategy is a class with parameters, named features, and one decision. `decide` sees the features at the close
# of a bar and answers with a target: 1.0 is all in, 0.0 is flat, −1.0 is short. The library's dual moving average:

# %%
print(strategy_source(Crossover))

# %% [markdown]
# Whatever is wrong with one is said when it is made:

# %%
try:
    Crossover(fast=1)
except Exception as error:
    print(error)

# %% [markdown]
# Your own is as short. This one also leaves when a position has lost too much; `position` is what the book holds.


# %%
class CrossoverWithStop(Strategy):
    """The dual moving average, out once a position has lost more than the stop."""

    fast = param(20, low=2, high=60)
    slow = param(100, low=20, high=400)
    stop = param(0.01, low=0.001, high=0.2)

    def features(self):
        return {
            "close": price("close"),
            "fast": sma("close", self.fast),
            "slow": sma("close", self.slow),
            "stop": constant(self.stop),
        }

    @staticmethod
    def decide(x, position):
        if x.fast <= x.slow or position.open_profit < -x.stop:
            return 0.0
        return 1.0


# %% [markdown]
# ## 3. A sweep
#
# Every parameter set of a grid in one pass. Each symbol is a book with its share of the capital.

# %%
costs = CostModel(slippage_bps=1.0)
swept = sweep(Crossover, minutes, {"fast": range(10, 61, 5), "slow": range(80, 241, 20)}, costs=costs)
display(swept)

# %%
swept.heat_map("fast", "slow", by="max_drawdown")

# %% [markdown]
# A single bright cell is luck; a bright region may be more. The best of many tries always looks good: that is what
# validation is for, before anything is promoted.

# %% [markdown]
# ## 4. A backtest
#
# One parameter set in full detail. Orders are decided and sized on a bar's close and filled at the next bar's open.

# %%
best = swept.best()
done = backtest(best, minutes, costs=costs)
display(done)

# %%
done.orders.head()

# %%
equity_chart(done)

# %%
drawdown_chart(done)

# %%
chart, shown = price_chart(done, "AAA")
print(shown)
display(chart)

# %% [markdown]
# Is it right? A second, naive writing of the backtest must agree order by order; `check(done, "vectorbt")` asks
# somebody else's code.

# %%
verdict = check(done, "reference")
print(f"{verdict.orders} orders compared, agrees: {verdict.agrees}")

# %% [markdown]
# Does the stop help? The same bars, the same costs:

# %%
stopped = backtest(CrossoverWithStop(**best.params()), minutes, costs=costs)
{"with stop": stopped.statistics["sharpe"], "without": done.statistics["sharpe"]}

# %% [markdown]
# ## 5. A report
#
# One self-contained page. `report(done).save("my_report.html")` writes it to a file.

# %%
report(done)

# %% [markdown]
# ## Next
#
# Put a strategy of your own in a file (`./slipway strategy new my_strategy.py`), publish it
# (`./slipway publish …`), promote it to paper (`./slipway promote …`) and trade it (`./slipway trade run`).
