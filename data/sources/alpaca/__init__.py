"""Alpaca: bars of US equities, crypto and options, splits and dividends, option chains.

Start reading at market.py; client.py is how it is asked, wire.py what it answers.
"""

from data.sources.alpaca.market import Alpaca
from data.sources.alpaca.options import CHAIN_SCHEMA
from data.sources.alpaca.settings import AlpacaDataSettings

__all__ = ["CHAIN_SCHEMA", "Alpaca", "AlpacaDataSettings"]
