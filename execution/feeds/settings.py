"""The one reader of the live feeds' environment."""

from typing import Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX: Final = "SLIPWAY_FEED_"


class FeedSettings(BaseSettings):
    """How live market data is heard, judged and made into bars."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", env_ignore_empty=True)

    bars: Literal["vendor", "trades"] = Field(
        default="vendor",
        description="whose bars are told: the vendor's own, like its history, or those of its trades",
    )
    grace_s: float = Field(
        default=0.5, ge=0, description="how long a bar waits for late trades after its end"
    )
    fill_quiet: bool = Field(default=False, description="flat bars for minutes without a trade")
    ahead_s: float = Field(default=2.0, ge=0, description="a tick further in the future is dropped")
    behind_s: float = Field(
        default=10.0, ge=0, description="a tick further behind the newest of its symbol is dropped"
    )
    stale_after_s: float = Field(
        default=30.0, gt=0, description="silence in a session that makes a feed stale and connect anew"
    )
    connect_s: float = Field(default=10.0, gt=0, description="to connect, log in and subscribe")
    reconnect_first_s: float = Field(
        default=0.5, gt=0, description="the first wait; doubles with each failure"
    )
    reconnect_longest_s: float = Field(default=30.0, gt=0)
    backfill_settle_s: float = Field(
        default=2.0, ge=0, description="after a bar's end until the vendor's history has it"
    )
    backfill_patience_s: float = Field(
        default=60.0, ge=0, description="how long new bars wait for history before a gap is left open"
    )
    alpaca_url: str = Field(default="wss://stream.data.alpaca.markets", description="without the path")
    bybit_url: str = Field(default="wss://stream.bybit.com/v5/public", description="without the category")
