"""Gates: what a version must show before it may trade.  Each goes from evidence to a verdict with numbers."""

from datetime import date
from io import BytesIO
from typing import Any

import polars as pl

from data.postgres import connect
from data.registry import Verdict, Version, record_evidence
from execution.loading import Promoted, load
from execution.rehearsal import rehearse
from research.parity import Parity, compare_orders
from research.publish import pinned_bars

SHOWN_DIFFERENCES = 20  # kept with the evidence; the count is always complete


def measure_parity(version: Version) -> Parity:
    """Run the artifact through the engine and the exchange's matching, and compare order by order."""
    promoted = load(str(version), version.artifact_hash)
    parity = rehearse_against_research(promoted)
    verdict: Verdict = "pass" if parity.holds else "fail"
    evidence: dict[str, Any] = {
        "research_orders": parity.research_orders,
        "execution_orders": parity.execution_orders,
        "matched": parity.matched,
        "differences": parity.differences.height,
        "examples": parity.differences.head(SHOWN_DIFFERENCES).cast(pl.String).to_dicts(),
        "snapshot": promoted.manifest.snapshot,
    }
    with connect() as connection:
        record_evidence(connection, version, "parity", verdict, evidence)
    return parity


def rehearse_against_research(promoted: Promoted) -> Parity:
    """The orders that were signed against those that the engine sends on the same bars."""
    signed = pl.read_parquet(BytesIO(promoted.artifact.files["backtest/orders.parquet"]))
    bars = pinned_bars(promoted.artifact)
    return compare_orders(signed, rehearse(promoted, bars, date.fromisoformat(promoted.manifest.trade_from)))
