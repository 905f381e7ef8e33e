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
# # 1. Explore data
#
# Before any idea: what do the bars look like, when does the market trade, what is wrong with the feed, and where did
# each bar come from? Everything here comes from the built-in market, which is seeded: the same bars on every machine,
# no keys, no network. Start the local system first (`./slipway up`).

# %%
from datetime import date

import polars as pl

import data
from data.ingest import ingest
from data.query import session_bars
from data.sources.synthetic import SyntheticMarket
from research import bars
from research.records import provenance_of
from research.reports import closes_chart, columns_chart

_ = pl.Config.set_fmt_str_lengths(90)

# %% [markdown]
# ## Bring bars in
#
# Two months of minutes for three shares. Bars are checked, written to the lake as parquet, and entered in the catalog
# in one transaction. Bringing the same again changes nothing.

# %%
SYMBOLS = ["AAA", "BBB", "CCC"]
FIRST, LAST = date(2025, 11, 3), date(2025, 12, 31)

ingest(SyntheticMarket(), SYMBOLS, FIRST, LAST)

# %%
minutes = bars(SYMBOLS, "1m", FIRST, LAST)
minutes.head()

# %% [markdown]
# `ts_utc` is when the bar **opens**; it is complete a minute later. Charts leave out nights and weekends, and show
# each share in per cent of its first close.

# %%
closes_chart(minutes)

# %% [markdown]
# ## Coarser bars
#
# Every timeframe is made of the minutes, and counted from the open of the session. So an hour of New York runs from
# 9:30 to 10:30, and the last bar of the day is only as long as the session leaves it.

# %%
hours = bars("AAA", "1m", date(2025, 11, 24), date(2025, 12, 5), resample_to="1h")
new_york = pl.col("ts_utc").dt.convert_time_zone("America/New_York").alias("New York")
hours.select(new_york, "open", "high", "low", "close", "volume").head(7)

# %%
closes_chart(hours)

# %% [markdown]
# ## Sessions
#
# A session is a trading date. Weekends and holidays have none, and half days are short: after Thanksgiving and on
# Christmas Eve New York closes at 13:00.

# %%
sessions = session_bars("AAA", "1m", FIRST, LAST)
columns_chart(sessions.with_columns(pl.col("session").dt.strftime("%-d %b")), "session", "bars")

# %%
sessions.filter(pl.col("bars") < 390)

# %% [markdown]
# ## A broken feed
#
# Real feeds break. The built-in market can break on purpose: here it repeats some rows and tells impossible prices in
# the first week, and swallows forty minutes of every session in the second.

# %%
broken = {
    "wrong rows": SyntheticMarket(name="broken", faults=frozenset({"duplicate", "high-below-low"})),
    "long gaps": SyntheticMarket(name="broken", faults=frozenset({"gap"})),
}
first_week = ingest(broken["wrong rows"], ["AAA"], date(2025, 12, 1), date(2025, 12, 5))
second_week = ingest(broken["long gaps"], ["AAA"], date(2025, 12, 8), date(2025, 12, 12))
print(f"{first_week.quarantined} rows set aside, {len(second_week.failed)} sessions refused")

# %% [markdown]
# A wrong row is set aside with its reason and never mended; the rest of its session is served, with a warning. A
# session of which too much is missing is refused as a whole: it stands in the catalog, and no research ever sees it.

# %%
catalog = data.sql(
    "select session, quality, rows, findings from ledger.catalog "
    "where dataset = 'bars/broken/1m' and symbol = 'AAA' and until is null order by session"
)
catalog.with_columns(pl.col("findings").str.json_decode(pl.List(pl.String)).list.join("; "))

# %%
served = catalog.with_columns(
    pl.col("session").dt.strftime("%-d %b"),
    pl.when(pl.col("quality") == "failed").then(0).otherwise("rows").alias("bars served"),
)
columns_chart(served, "session", "bars served")

# %% [markdown]
# ## What was known when
#
# Later the vendor repairs its feed, and the same two weeks are ingested again. What was wrong gets a second revision;
# the first stays readable. `as_of` asks for the catalog as it was in a snapshot, so a backtest of last month can be
# repeated on the bars of last month.

# %%
repaired = ingest(SyntheticMarket(name="broken"), ["AAA"], date(2025, 12, 1), date(2025, 12, 12))
before = bars("AAA", source="broken", as_of=second_week.snapshot)
now = bars("AAA", source="broken")
print(f"{before.height:,} bars in snapshot {second_week.snapshot}, {now.height:,} in {repaired.snapshot}")

# %%
day = pl.col("ts_utc").dt.strftime("%-d %b").alias("session")
columns_chart(now.group_by(day, maintain_order=True).agg(pl.len().alias("bars now")), "session", "bars now")

# %% [markdown]
# Run this notebook twice and the second week is there from the start: a failed session never replaces a healthy one.
#
# Bars know where they came from. What is made of them goes on record with the snapshot and the hash of every file,
# which is how a result can be repeated bit by bit.

# %%
origin = provenance_of(now)
pl.DataFrame({"snapshot": origin.snapshot, "file": path, "sha256": digest} for path, digest in origin.files)

# %% [markdown]
# ## Splits and dividends
#
# Bars are stored as they were traded. On 5 August 2024 ten shares of FFF came for one, which looks like a loss of 90 %
# and is none. Backtests of these bars know the split and hold ten times the shares from there on; where you want the
# prices themselves without the jump, ask with `adjusted="splits"`, or with `adjusted="all"` for dividends too.

# %%
ingest(SyntheticMarket(), ["FFF"], date(2024, 7, 1), date(2024, 9, 30))
data.sql(
    "select session, kind, ratio, amount from ledger.corporate_actions "
    "where symbol = 'FFF' and until is null and session between '2024-07-01' and '2024-09-30' order by session"
)

# %%
closes_chart(bars("FFF", "1m", date(2024, 7, 1), date(2024, 9, 30), resample_to="1h"))

# %% [markdown]
# ## Returns
#
# Five-minute returns, counted in standard deviations, nights left out. How often does a bar move further than two
# deviations, three, four, as against a bell curve with the same deviation? The far ends are where stops and margins
# are decided, and a bell curve knows nothing of them.

# %%
fives = bars(SYMBOLS, "1m", FIRST, LAST, resample_to="5m")
session = [pl.col("symbol"), pl.col("ts_utc").dt.date()]
returns = fives.with_columns(pl.col("close").log().diff().over(session).alias("r")).drop_nulls("r")
moves = (returns["r"] / returns["r"].std()).round().clip(-6, 6).cast(pl.Int64).alias("deviations")
columns_chart(moves.value_counts(name="bars").sort("deviations"), "deviations", "bars")

# %%
bell_curve = {"two": (2, 0.0455), "three": (3, 0.0027), "four": (4, 0.000063)}
size = (returns["r"] / returns["r"].std()).abs()
rows = [
    {"beyond … deviations": name, "times the bell curve": (size > limit).mean() / expected}
    for name, (limit, expected) in bell_curve.items()
]
columns_chart(pl.DataFrame(rows), "beyond … deviations", "times the bell curve")

# %% [markdown]
# ## Rough hours and calm ones
#
# A session is loud at the open, quiet at noon, and wakes up before the close. A rule that trades on moves of a fixed
# size trades mostly in the first half hour; features such as `atr` and `volatility` know the difference.

# %%
half_hour = pl.col("ts_utc").dt.convert_time_zone("America/New_York").dt.truncate("30m").dt.strftime("%H:%M")
by_time = (
    returns.group_by(half_hour.alias("New York"))
    .agg((pl.col("r").std() * 100).alias("a bar moves"))
    .sort("New York")
)
columns_chart(by_time, "New York", "a bar moves", unit="%")

# %% [markdown]
# Days are not alike either: here the roughest moves more than twice as far as the calmest.

# %%
per_day = (
    returns.group_by(pl.col("ts_utc").dt.date().alias("session"))
    .agg((pl.col("r").std() * 100).alias("a bar moves"))
    .sort("session")
    .with_columns(pl.col("session").dt.strftime("%-d %b"))
)
columns_chart(per_day, "session", "a bar moves", unit="%")

# %% [markdown]
# ## Next
#
# The same from the command line: `./slipway data ingest`, `./slipway data show`, `./slipway data check`. Bars of your
# own come in with `./slipway data import`, real ones with `./slipway data ingest --source alpaca`. Then have an idea:
# [02 from idea to sweep](02_idea_to_sweep.ipynb).
