"""Whose keys go where.  Paper and live have settings of their own, and neither can be mistaken for the other.

All of it is checked before anything is sent; adapter.admit asks the broker himself, once.
"""

import os
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.errors import Refused, UsageError
from data.settings import get_settings

Alpaca = Literal["alpaca-paper", "alpaca-live"]

REAL_MONEY: Final = "yes-real-money"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class _Kind:
    """What tells paper and live apart."""

    host: str
    prefix: str  # of the key ids that Alpaca hands out
    settings: str  # what the names of its settings begin with


_KINDS: Final[dict[Alpaca, _Kind]] = {
    "alpaca-paper": _Kind("paper-api.alpaca.markets", "PK", "SLIPWAY_ALPACA_PAPER_"),
    "alpaca-live": _Kind("api.alpaca.markets", "AK", "SLIPWAY_ALPACA_LIVE_"),
}


class BrokerSettings(BaseSettings):
    """Keys and addresses of the brokers.  Market data has keys of its own (SLIPWAY_ALPACA_KEY_ID)."""

    model_config = SettingsConfigDict(
        env_prefix="SLIPWAY_", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    allow_live: SecretStr | None = Field(
        default=None, description=f"{REAL_MONEY}: orders may cost real money"
    )
    alpaca_paper_key_id: SecretStr | None = None
    alpaca_paper_secret: SecretStr | None = None
    alpaca_paper_url: str = "https://paper-api.alpaca.markets"
    alpaca_live_key_id: SecretStr | None = None
    alpaca_live_secret: SecretStr | None = None
    alpaca_live_url: str = "https://api.alpaca.markets"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An address and the keys that belong to it."""

    url: str
    key_id: SecretStr
    secret: SecretStr
    how_to_fix: str
    live: bool = False


def alpaca_credentials(broker: Alpaca, settings: BrokerSettings | None = None) -> Credentials:
    """The keys of this kind of account, or the setting that is missing or wrong."""
    settings = settings or BrokerSettings()
    kind, live = _KINDS[broker], broker == "alpaca-live"
    if live and (settings.allow_live is None or settings.allow_live.get_secret_value() != REAL_MONEY):
        raise Refused(
            "SLIPWAY_BROKER=alpaca-live trades real money, and nobody said that it may",
            f"Set SLIPWAY_ALLOW_LIVE={REAL_MONEY} if that is what you want.",
        )
    if live:
        url, key_id, secret = (
            settings.alpaca_live_url,
            settings.alpaca_live_key_id,
            settings.alpaca_live_secret,
        )
    else:
        url, key_id, secret = (
            settings.alpaca_paper_url,
            settings.alpaca_paper_key_id,
            settings.alpaca_paper_secret,
        )
    if os.environ.get("SLIPWAY_FAILPOINT"):
        refuse_in_production("SLIPWAY_FAILPOINT would kill the engine on purpose", "Unset SLIPWAY_FAILPOINT.")
    address = _address(url, kind)
    key = _key(key_id, kind, "KEY_ID", broker)
    if not key.get_secret_value().startswith(kind.prefix):
        other = next(
            (name for name, each in _KINDS.items() if each.prefix == key.get_secret_value()[:2]), None
        )
        whose = f"is one of {other}" if other else "is none that we know"
        raise Refused(
            f"the key in {kind.settings}KEY_ID {whose}: keys of {broker} begin with {kind.prefix}",
            f"Put a key of {broker} there, or choose the broker with SLIPWAY_BROKER.",
        )
    return Credentials(
        url=address,
        key_id=key,
        secret=_key(secret, kind, "SECRET", broker),
        how_to_fix=f"Check {kind.settings}KEY_ID and {kind.settings}SECRET.",
        live=live,
    )


def _address(url: str, kind: _Kind) -> str:
    """Keys go to Alpaca's own host of that kind, or for tests to this very machine, and nowhere else."""
    name = f"{kind.settings}URL"
    try:
        parts = urlsplit(url.strip())
        loopback = parts.hostname in _LOOPBACK
    except ValueError:
        parts, loopback = SplitResult("", "", "", "", ""), False
    plain = not parts.username and not parts.password and not parts.query and parts.path in ("", "/")
    if not plain or not (loopback or (parts.scheme == "https" and parts.netloc == kind.host)):
        raise Refused(
            f"{name} is not the address of that broker", f"Unset it; it would be https://{kind.host}."
        )
    if loopback:
        refuse_in_production(f"{name} is an address of this machine, where no broker is", f"Unset {name}.")
        if parts.scheme not in ("http", "https"):
            raise UsageError(
                f"{name} is not an address that can be asked", "Write it like http://127.0.0.1:8000."
            )
    return url.strip().rstrip("/")


def refuse_in_production(what: str, fix: str) -> None:
    """What helps a test is a hole where money is."""
    if get_settings().env == "production":
        raise Refused(f"SLIPWAY_ENV is production, and {what}", fix)


def _key(key: SecretStr | None, kind: _Kind, name: str, broker: Alpaca) -> SecretStr:
    """A key that fits in a header.  What does not would be quoted by the error of whoever tries it."""
    if key is None:
        raise UsageError(
            f"SLIPWAY_BROKER is {broker}, and {kind.settings}{name} is not set",
            f"Set {kind.settings}KEY_ID and {kind.settings}SECRET to the keys from Alpaca's dashboard.",
        )
    text = key.get_secret_value().strip()
    if not text.isascii() or not text.isprintable() or " " in text or not text:
        raise UsageError(
            f"{kind.settings}{name} does not look like a key", "Copy it again from Alpaca's dashboard."
        )
    return SecretStr(text)
