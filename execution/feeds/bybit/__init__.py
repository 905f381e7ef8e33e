"""Bybit's public stream: spot pairs and linear contracts.

Start reading at stream.py; wire.py is what it says.
"""

from execution.feeds.bybit.stream import BybitStream

__all__ = ["BybitStream"]
