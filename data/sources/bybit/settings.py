"""What must be known to ask Bybit."""

from typing import Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.sources.asking import SymbolList

PREFIX: Final = "SLIPWAY_BYBIT_"


class BybitSettings(BaseSettings):
    """Where Bybit is asked, and for what.  Its market data needs no keys."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", env_ignore_empty=True)

    data_url: str = Field(default="https://api.bybit.com", description="where market data is")
    category: Literal["spot", "linear"] = Field(
        default="spot", description="pairs of coins, or contracts settled in USDT and USDC"
    )
    symbols: SymbolList = Field(
        default=(), description="what is ingested when nobody names symbols: BTCUSDT,ETHUSDT"
    )
    requests_per_s: int = Field(
        default=10, ge=2, le=100, description="how often we ask at most; Bybit bans an address beyond 120"
    )
