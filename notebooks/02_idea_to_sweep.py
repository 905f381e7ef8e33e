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
# # 2. From idea to sweep
#
# An idea in words becomes a class of twenty lines. It is checked for hindsight, tried with many parameters, and the
# best set is looked at order by order. The `decide` you write is compiled once: sweep, backtest, paper and live all
# call that machine code. Start the local system first (`./slipway up`); no keys and no network are needed.

# %%
import math
from datetime import date

import polars as pl
from IPython.display import display

from data.ingest import ingest
from data.sources.synthetic import SyntheticMarket
from execution.strategy import constant, param, vectorised, zscore
from research import CostModel, Strategy, backtest, bars, check_strategy, guided, random_search, sweep, trials
from research.oracle import check
from research.reports import closes_chart, columns_chart, drawdown_chart, equity_chart, price_chart

# %% [markdown]
# ## Bars
#
# Five months of three shares of the built-in market, in quarters of an hour. [01 explore data](01_explore_data.ipynb)
# looks at them more closely.

# %%
SYMBOLS = ["AAA", "BBB", "CCC"]
FIRST, LAST = date(2025, 7, 1), date(2025, 11, 28)

ingest(SyntheticMarket(), SYMBOLS, FIRST, LAST)
quarters = bars(SYMBOLS, "1m", FIRST, LAST, resample_to="15m")
closes_chart(quarters)

# %% [markdown]
# ## The idea
#
# *What has fallen unusually far within a day or two was often pushed by one large seller, and comes back.*
#
# Look before you write it down. "Unusually far" is a z-score: how many deviations a close lies from the mean of the
# last 40. What did the next eight bars bring, by how far the price had gone?

# %%
close = pl.col("close")
score = (close - close.rolling_mean(40)) / close.rolling_std(40)
looked = quarters.with_columns(
    score.over("symbol").round(0).clip(-3, 3).alias("z-score"),
    ((close.shift(-8) / close - 1).over("symbol") * 10_000).alias("next two hours"),
).drop_nulls()
by_score = looked.group_by(pl.col("z-score").cast(pl.Int64)).agg(pl.col("next two hours").mean())
columns_chart(by_score.sort("z-score"), "z-score", "next two hours", unit="bp")

# %% [markdown]
# At −3 the price did come back, by a seventh of a per cent; at −2 it did not. That is worth a try, and no reason to be
# excited. The picture looks at what came afterwards, which a picture may and a strategy must not.
#
# ## The strategy
#
# Parameters with bounds, features with names, one decision. `decide` sees the features at the close of a bar and
# answers with a target: 1.0 is all in, 0.0 is flat, NaN is "as it was". The order fills at the next bar's open.


# %%
class DipBuyer(Strategy):
    """Buys what has fallen unusually far, and sells it once it is back at its mean."""

    period = param(40, low=5, high=400)
    depth = param(2.0, low=0.5, high=5.0)

    def features(self):
        return {"score": zscore("close", self.period), "depth": constant(self.depth)}

    @staticmethod
    def decide(x):
        if x.score < -x.depth:
            return 1.0
        return 0.0 if x.score > 0.0 else math.nan


# %%
costs = CostModel(slippage_bps=1.0)
first_try = backtest(DipBuyer(), quarters, costs=costs)
equity_chart(first_try)

# %% [markdown]
# What is wrong with a strategy is said when it is made:

# %%
try:
    DipBuyer(depth=50)
except Exception as error:
    print(error)

# %% [markdown]
# ## Does it know the future?
#
# Before a result is believed, the strategy is run on bars whose future was cut off or replaced by another one, and once
# more bar by bar as it runs live. Nothing that it said may change.

# %%
check_strategy(DipBuyer(), quarters)


# %% [markdown]
# Now a mistake that everybody makes once: the same idea, but the mean is centred, so that half of it lies in the
# future.


# %%
def centred_score(close):
    centre = pl.Series(close).rolling_mean(41, center=True)
    return ((pl.Series(close) - centre) / pl.Series(close).rolling_std(41)).to_numpy()


class Hindsight(DipBuyer):
    """The same with a mean that is centred on the bar, which half of it comes after."""

    def features(self):
        return {"score": vectorised(centred_score, "close", lookback=41), "depth": constant(self.depth)}


too_good = backtest(Hindsight(depth=1.0), quarters, costs=costs)
equity_chart(too_good)

# %% [markdown]
# A curve like this is a bug. The check names the feature, and how far ahead it looked:

# %%
found = check_strategy(Hindsight(depth=1.0), quarters)
print(found.verdict)
for each in found.failed:
    print(f"- {each.what}: {each.evidence}")

# %% [markdown]
# ## The sweep
#
# How much depends on the parameters? One pass over the bars tries all of them; every row is the backtest of its set,
# bit for bit.

# %%
grid = {"period": range(10, 131, 10), "depth": [step / 4 for step in range(4, 15)]}
swept = sweep(DipBuyer, quarters, grid, costs=costs)
display(swept)

# %% [markdown]
# A bright cell in dark surroundings is luck; a bright region may be more. Trades tell how much a cell rests on.

# %%
swept.heat_map("period", "depth", by="trades")

# %% [markdown]
# Where a grid would be too large, draw sets at random, or let a search learn where it is bright. `over` keeps it where
# there are trades: left alone it soon finds sets that traded once and were lucky.

# %%
over = {"period": range(10, 131), "depth": [step / 20 for step in range(20, 61)]}
drawn = sweep(DipBuyer, quarters, random_search(200, seed=1, over=over), costs=costs)
learned = sweep(DipBuyer, quarters, guided(96, seed=1, over=over), costs=costs)
display(learned)

# %% [markdown]
# ## Who counts the tries?
#
# The best of many tries always looks good, so the number of tries is part of the result. It is counted for you: every
# backtest and sweep goes into the ledger, whoever ran it. Each set counts once: of the sweep's 143 sets 142 were new,
# for the first try was one of them. Validation asks there.

# %%
tried = trials("dipbuyer")
display(tried)
columns_chart(tried.frame.with_row_index("run", 1).rename({"new_sets": "new sets"}), "run", "new sets")

# %% [markdown]
# ## The best one
#
# One set in full detail, with what it paid and what holding the shares would have made.

# %%
best = swept.best()
done = backtest(best, quarters, costs=costs)
display(done)

# %%
drawdown_chart(done)

# %%
chart, shown = price_chart(done, "AAA")
print(shown)
display(chart)

# %%
done.orders.head()

# %% [markdown]
# Is it computed right? Somebody else's code, vectorbt, is given the same targets and must arrive at the same orders. A
# second, naive writing of ours answers where vectorbt cannot.

# %%
for oracle in ("vectorbt", "reference"):
    said = check(done, oracle)
    print(f"{said.oracle}: {said.orders} orders compared one by one, agrees: {said.agrees}")

# %% [markdown]
# ## Next
#
# The backtest is right, but is the result more than luck? [03 validate and report](03_validate_and_report.ipynb). From
# the command line: `./slipway strategy new my_strategy.py`, `./slipway strategy check`, `./slipway sweep`,
# `./slipway backtest`, `./slipway trials`.
