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
# # 3. Validate and report
#
# A sweep has a winner, always. Is it more than the luckiest of many? This notebook puts one on trial, reads the
# verdict, keeps some sessions unseen, and leaves a page that says where every number came from. Start the local system
# first (`./slipway up`); no keys and no network are needed.

# %%
from datetime import date

import polars as pl
from IPython.display import display

from data import audit, holdouts
from data.errors import Refused
from data.ingest import ingest
from data.postgres import connect
from data.sources.synthetic import SyntheticMarket
from execution.strategy import load_strategy
from research import CostModel, backtest, bars, compare, report, sweep, validate
from research.records import again
from research.reports import columns_chart, equity_chart
from research.validation.checks import trial_deviation
from research.validation.sharpe_tests import luckiest_sharpe

SYMBOLS = ["AAA", "BBB", "CCC"]
FIRST, LAST, UNSEEN = date(2025, 7, 1), date(2025, 11, 28), date(2025, 12, 31)

# %% [markdown]
# ## Something to judge
#
# The idea of [02 from idea to sweep](02_idea_to_sweep.ipynb), now in a file of its own. A strategy in a file is put on
# record with its source, so that everything made of it can be made again.

# %%
# %%writefile dip_buyer.py
import math

from execution.strategy import Strategy, constant, param, zscore


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
ingest(SyntheticMarket(), SYMBOLS, FIRST, UNSEEN)
quarters = bars(SYMBOLS, "1m", FIRST, LAST, resample_to="15m")
DipBuyer = load_strategy("dip_buyer.py")
grid = {"period": range(10, 131, 10), "depth": [step / 4 for step in range(4, 15)]}
costs = CostModel(slippage_bps=1.0)
swept = sweep(DipBuyer, quarters, grid, costs=costs)
swept.heat_map("period", "depth")

# %% [markdown]
# ## A holdout
#
# November ends what research may look at. December is sealed for this family of strategies: backtests and sweeps are
# refused it until somebody opens it, once, with a reason, when everything else is decided.

# %%
try:
    with connect() as connection:
        holdouts.set_holdout(connection, "dipbuyer", date(2025, 12, 1), UNSEEN, who=audit.person())
except Refused as refused:  # this notebook ran before
    print(refused)

try:
    backtest(swept.best(), bars(SYMBOLS, "1m", FIRST, UNSEEN, resample_to="15m"), costs=costs)
except Refused as refused:
    print(refused)

# %% [markdown]
# ## The trial
#
# `validate` takes the best set of the sweep and asks fourteen questions. It passes only if every answer is yes, and a
# question without evidence is no yes.

# %%
judged = validate(swept, quarters)
display(judged)

# %% [markdown]
# ## What a no means
#
# Twelve times yes, and still no. The backtest is right, its costs are paid, every month made money. The two that say no
# ask about the search. The best of many sets without any skill shows a Sharpe ratio too, and the more sets, the higher:

# %%
of = judged.evidence.periods
deviation = trial_deviation(judged.evidence)
rows = [
    {"sets tried": f"{count:,}", "Sharpe ratio by luck": luckiest_sharpe(count, deviation) * of.per_year**0.5}
    for count in (1, 10, 100, 1_000, 10_000)
]
display(columns_chart(pl.DataFrame(rows), "sets tried", "Sharpe ratio by luck"))
print(f"the best of {judged.evidence.sets} sets has {of.sharpe * of.per_year**0.5:.2f}, by sessions")

# %% [markdown]
# Sets that hold nearly the same count as fewer, the table says how many, and what was tried before counts as well. The
# best one is above what luck shows, and not by enough to be 95 % sure. The other no: it stands alone. Here are the sets
# of the same depth; whether one counts 30 bars or 40 should not decide between gain and loss.

# %%
same_depth = swept.frame.filter(pl.col("depth") == judged.strategy.depth, pl.col("sharpe").is_not_null())
columns_chart(same_depth, "period", "sharpe")

# %% [markdown]
# The rest looks better, on few trades. Choosing again and again, on the past only, and trading what comes after: so
# much each choice had promised (in), and so much was kept of it (out). A missing column is a choice that never traded.

# %%
folds = judged.evidence.walk_forward["anchored"].folds
rows = [
    {"fold": f"{number} {where}", "Sharpe ratio": ratio}
    for number, fold in enumerate(folds, 1)
    for where, ratio in (("in", fold.in_sample), ("out", fold.out_of_sample))
]
columns_chart(pl.DataFrame(rows), "fold", "Sharpe ratio")

# %% [markdown]
# A no is not a proof that nothing is there. It says that five months and 32 trades do not tell this result from a lucky
# one. What helps is more history, not more sets: every further set raises the bar. Until then December stays sealed,
# still good for one honest look.
#
# ## Side by side
#
# What becomes of it when the world is a little worse: dearer fills, and one bar late? `compare` takes any backtests.

# %%
best = judged.strategy
done = backtest(best, quarters, costs=costs)
dearer = backtest(best, quarters, costs=CostModel(slippage_bps=2.0))
late = backtest(best, quarters, costs=costs, delay_bars=1)
compare({"as swept": done, "at twice the costs": dearer, "one bar late": late})

# %% [markdown]
# ## The same bytes again
#
# Every result has a run id: the hash of its strategy's source, its bars and its terms. `again` loads that source and
# those bars, runs it once more and compares every file of the record.

# %%
repeated = again(done.record.run)
print(repeated)
equity_chart(repeated.result)

# %% [markdown]
# ## The report
#
# One page that needs nothing else, with the verdict on top. `report(…).save("dip_buyer.html")` writes it to a file, a
# name that ends in `.png` makes a picture of it, and `./slipway report` makes it from a run id.

# %%
report(done, validation=judged)

# %% [markdown]
# ## Next
#
# Had it passed, the way would go on from here: `./slipway holdout open` for the last look, `./slipway publish` to sign
# strategy, bars and orders as one artifact, `./slipway gates` to compare every order with the engine's, and
# `./slipway promote` to paper. As it did not, the next step is more history, or another idea:
# [02 from idea to sweep](02_idea_to_sweep.ipynb).
