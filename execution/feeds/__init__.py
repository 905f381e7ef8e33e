"""Market data on its way to engines and screens: replayed from the lake, or live from a vendor.

`replay.py` moves past sessions in lock-step with whoever trades them.  Everything else is live.  Start reading at
`contract.py` (what a stream tells) and `live.py` (the loop around it); what decides is pure: `checking.py` (bad ticks),
`building.py` (bars from ticks), `continuity.py` (each bar once and in order, gaps filled), `freshness.py` (silence).
"""
