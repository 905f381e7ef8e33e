"""Alpaca's market data stream: shares and crypto, each on a socket of its own.

Start reading at stream.py; wire.py is what it says, and what its errors mean.
"""

from execution.feeds.alpaca.stream import AlpacaStream

__all__ = ["AlpacaStream"]
