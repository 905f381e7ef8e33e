"""The unmodified alpaca-py, imported quietly: it uses a part of `websockets` that announces its end."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.trading import enums, models, requests
    from alpaca.trading.client import TradingClient
    from alpaca.trading.stream import TradingStream

__all__ = ["APIError", "TradingClient", "TradingStream", "enums", "models", "requests"]
