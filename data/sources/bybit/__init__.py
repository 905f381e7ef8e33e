"""Bybit: bars of spot pairs and of linear contracts.

Start reading at market.py; client.py is how it is asked, wire.py what it answers.
"""

from data.sources.bybit.market import Bybit
from data.sources.bybit.settings import BybitSettings

__all__ = ["Bybit", "BybitSettings"]
