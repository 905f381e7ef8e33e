"""What can be made to go wrong at the exchange, per account, while it runs.

Start reading at knobs.py (the kinds, and which request one of them strikes), then door.py (what it does to a
request and its answer) and events.py (what it does to `trade_updates`).
"""

from execution.exchange.faults.knobs import FaultKind, Faults, Knob, Subject

__all__ = ["FaultKind", "Faults", "Knob", "Subject"]
