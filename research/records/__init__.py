"""Runs as records: every backtest and sweep with its inputs, its outputs and its place in the trial ledger.
May import execution and data.
Start reading at recording.py (what research calls), then inputs.py (what a run is) and again.py (run it once more).
"""

from research.records.again import Repeated, again
from research.records.corporate_actions import known_actions
from research.records.ledger import Trials, trials
from research.records.provenance import Provenance, bars, provenance_of
from research.records.recording import (
    Record,
    Unrecorded,
    keep_out_of_holdout,
    record_backtest,
    record_sweep,
    record_validation,
)

__all__ = [
    "Provenance",
    "Record",
    "Repeated",
    "Trials",
    "Unrecorded",
    "again",
    "bars",
    "keep_out_of_holdout",
    "known_actions",
    "provenance_of",
    "record_backtest",
    "record_sweep",
    "record_validation",
    "trials",
]
