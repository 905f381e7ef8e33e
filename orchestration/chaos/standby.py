"""`python -m orchestration.chaos.standby`: an engine that has loaded everything and waits for its arguments.

Loading takes seconds in which nothing trades, and chaos wants to strike what trades.
"""

import json
import sys

from execution.__main__ import main

if __name__ == "__main__":
    if line := sys.stdin.readline():  # none: the one who keeps it is gone
        sys.argv[1:] = json.loads(line)
        sys.exit(main())
