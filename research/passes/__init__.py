"""Parameter sets over bars, fast: what sweeps and backtests run on.
May import execution and data.
Start reading at prepared.py, then kernel.py (the loop itself).
"""

from research.passes.prepared import Blocks, Prepared, prepare

__all__ = ["Blocks", "Prepared", "prepare"]
