"""The unmodified alpaca-py's market data, imported quietly: it uses a part of `websockets` that announces its end."""

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from exchange_process import Tape

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.enums import Sort
    from alpaca.common.exceptions import APIError
    from alpaca.data import requests
    from alpaca.data.enums import Adjustment, DataFeed
    from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
    from alpaca.data.live import CryptoDataStream, StockDataStream
    from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

__all__ = [
    "APIError", "Adjustment", "CryptoDataStream", "CryptoHistoricalDataClient", "DataFeed", "Sort",
    "StockDataStream", "StockHistoricalDataClient", "TimeFrame", "TimeFrameUnit", "requests", "running",
]  # fmt: skip


@asynccontextmanager
async def running(stream: StockDataStream | CryptoDataStream, tape: Tape) -> AsyncIterator[None]:
    """The stream at work, connected and subscribed: the exchange says so, alpaca-py does not."""
    task = asyncio.create_task(stream._run_forever())
    try:
        while not any(each["channels"] for each in tape.control.streams()):
            assert not task.done()
            await asyncio.sleep(0.005)
        yield
    finally:
        await stream.stop_ws()
        while not task.done():  # wait_for, which alpaca-py sits in, may swallow a cancellation
            task.cancel()
            await asyncio.wait([task], timeout=0.1)
        await stream.close()
