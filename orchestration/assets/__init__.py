"""What exists: bars, backtests, artifacts, fills. Bodies are thin and call what the command line calls."""

import os
import warnings

from dagster import BetaWarning

# Backfill policies are beta since 2023 and have not changed; each of our processes would say so at every start.
warnings.filterwarnings("ignore", category=BetaWarning)

# Dagster records a range of partitions in transactions of so many; one by one takes about 40 ms each.
os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "50")
