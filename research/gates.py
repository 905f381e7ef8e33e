"""Gates: what a version must show before it may trade.  Each goes from evidence to a verdict with numbers."""

from datetime import date
from io import BytesIO
from typing import Any

import polars as pl

from data import artifacts
from data.artifacts import Artifact
from data.postgres import connect
from data.registry import Verdict, Version, record_evidence
from execution.deployments import deployment_of
from execution.rehearsal import rehearse
from research.parity import Parity, compare_orders
from research.publish import pinned_bars

SHOWN_DIFFERENCES = 20  # kept with the evidence; the count is always complete


def measure_parity(version: Version) -> Parity:
    """Run the artifact through the engine and the exchange's matching, and compare order by order."""
    artifact = artifacts.load(version.artifact_hash)
    parity = rehearse_against_research(str(version), artifact)
    verdict: Verdict = "pass" if parity.holds else "fail"
    evidence: dict[str, Any] = {
        "research_orders": parity.research_orders,
        "execution_orders": parity.execution_orders,
        "matched": parity.matched,
        "differences": parity.differences.height,
        "examples": parity.differences.head(SHOWN_DIFFERENCES).cast(pl.String).to_dicts(),
        "snapshot": artifact.manifest.snapshot,
    }
    with connect() as connection:
        record_evidence(connection, version, "parity", verdict, evidence)
    return parity


def rehearse_against_research(name: str, artifact: Artifact) -> Parity:
    """The orders that were signed against those that the engine sends on the same bars."""
    signed = pl.read_parquet(BytesIO(artifact.files["backtest/orders.parquet"]))
    trade_from = date.fromisoformat(artifact.manifest.trade_from)
    return compare_orders(signed, rehearse(deployment_of(name, artifact), pinned_bars(artifact), trade_from))
