"""A world for order flow, made up from a seed: the production code of flow/ under virtual time, while everything
around it dies, freezes, loses, doubles, delays and lies.

The same seed gives the same trace, bit for bit.  `slipway chaos simulate --seed 7` shows one.
May import execution.flow, execution.core, execution.broker (its contract) and data.
Start reading at world.py (what happens), then checks.py (what must never happen).
"""
