"""What must be known to ask Alpaca."""

from typing import Final, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.errors import UsageError
from data.sources.asking import SymbolList

PREFIX: Final = "SLIPWAY_ALPACA_"


class AlpacaDataSettings(BaseSettings):
    """Keys, addresses and which of several truths about a price is meant."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    key_id: SecretStr | None = Field(default=None, description="the key's id, from Alpaca's dashboard")
    secret: SecretStr | None = Field(default=None, description="the key's secret")
    data_url: str = Field(default="https://data.alpaca.markets", description="where market data is")
    trading_url: str = Field(
        default="https://paper-api.alpaca.markets",
        description="where instruments are looked up; https://api.alpaca.markets for keys of a live account",
    )
    feed: Literal["sip", "iex"] = Field(
        default="iex",
        description="all exchanges (paid, or 15 minutes old), or IEX alone with its small share of the volume",
    )
    adjustment: Literal["raw", "split", "dividend", "all"] = Field(
        default="raw", description="what prices are adjusted for; anything but raw is a dataset of its own"
    )
    symbols: SymbolList = Field(
        default=(), description="what is ingested when nobody names symbols: AAPL,BTC/USD"
    )
    requests_per_min: int = Field(
        default=200, ge=2, le=10_000, description="how often we ask at most; 200 is the free plan's limit"
    )

    def keys(self) -> tuple[SecretStr, SecretStr]:
        """Both halves of the key, or what to set."""
        if self.key_id is None or self.secret is None:
            raise UsageError(
                "Alpaca gives market data only to those who have keys, and none are set",
                f"Set {PREFIX}KEY_ID and {PREFIX}SECRET to the keys from Alpaca's dashboard (a free account will do).",
            )
        return _checked(self.key_id, "KEY_ID"), _checked(self.secret, "SECRET")


def _checked(key: SecretStr, name: str) -> SecretStr:
    """A key that fits in a header.  What does not would be quoted by the error of whoever tries it."""
    text = key.get_secret_value().strip()
    if not text.isascii() or not text.isprintable() or " " in text or not text:
        raise UsageError(f"{PREFIX}{name} does not look like a key", "Copy it again from Alpaca's dashboard.")
    return SecretStr(text)
