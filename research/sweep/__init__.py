"""Sweeps: every parameter set of a search through one fused pass, on all cores or on a cluster.
May import execution and data.
Start reading at sweeping.py (what a quant calls), then running.py (how work is dealt out) and parts.py (what is kept).
"""

from research.sweep.progress import SweepProgress
from research.sweep.result import Sweep
from research.sweep.running import SweepStopped
from research.sweep.searches import Guided, RandomSearch, guided, parameter_sets, random_search
from research.sweep.sweeping import sweep

__all__ = [
    "Guided",
    "RandomSearch",
    "Sweep",
    "SweepProgress",
    "SweepStopped",
    "guided",
    "parameter_sets",
    "random_search",
    "sweep",
]
