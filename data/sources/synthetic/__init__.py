"""A market that does not exist: seeded, the same on every machine, and shaped like a real one.

Start with `listings.py` (what is listed and what happened to it), then `prices.py` (how prices move);
`market.py` answers as a source, `ticks.py` shows what happened inside the minutes, and `faults.py`
breaks the feed on purpose.
"""

from data.sources.synthetic.faults import FAULTS
from data.sources.synthetic.listings import LISTED
from data.sources.synthetic.market import SyntheticMarket

__all__ = ["FAULTS", "LISTED", "SyntheticMarket"]
