"""The execution room's settings."""

from typing import Final, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.limits import NAMES, Limits
from execution.core.bucket import Rate

BrokerName = Literal["sim", "alpaca-paper", "alpaca-live"]

ALPACA_PER_MINUTE: Final = 180.0
"""With those at once it is Alpaca's 200 in the first minute."""


class ExecutionSettings(BaseSettings):
    """How orders are sent, and within which limits."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_EXECUTION_", extra="ignore")

    broker: BrokerName = Field(default="sim", validation_alias="SLIPWAY_BROKER")
    quarantine_s: float = Field(
        default=30.0, description="how long an order may be absent at the broker before it is sent again"
    )
    intent_ttl_s: float = Field(default=120.0, description="an intent not sent by then is abandoned")
    requests_per_minute: float = Field(
        default=0.0,
        ge=0.0,
        description="to the broker, all together; 0: as many as one likes at the simulator, 180 at Alpaca",
    )
    requests_at_once: float = Field(default=20.0, ge=1.0, description="after a while without any")
    requests_kept: float = Field(
        default=5.0, ge=0.0, description="for cancels, questions and orders that reduce, when others wait"
    )
    connect_timeout_s: float = 1.0
    request_timeout_s: float = 5.0
    reconcile_every_s: float = 30.0
    silence_s: float = Field(default=15.0, description="no event for so long with open orders: reconcile")
    order_qty_max: float = Field(default=1_000_000.0, ge=0.0)
    order_notional_max: float = Field(default=1_000_000.0, ge=0.0)
    position_qty_max: float = Field(default=1_000_000.0, ge=0.0)
    position_notional_max: float = Field(default=1_000_000.0, ge=0.0)
    gross_exposure_max: float = Field(default=4_000_000.0, ge=0.0)
    price_collar_bps: float = Field(
        default=500.0, ge=0.0, description="between the price decided on and the newest"
    )
    duplicate_window_s: float = Field(
        default=2.0, ge=0.0, description="same strategy, symbol, side and quantity"
    )
    orders_per_minute_max: float = Field(default=1_000.0, ge=0.0)
    daily_loss_max: float = Field(default=float("inf"), ge=0.0, description="flattens and pauses the account")
    data_age_max_s: float = Field(
        default=300.0, ge=0.0, description="since the end of the symbol's newest bar"
    )
    restricted: float = Field(default=0.0, ge=0.0, le=1.0, description="1: nothing may be opened")
    session_grace_s: float = Field(
        default=60.0, ge=0.0, description="after the close, for what the last bar decided"
    )
    flatten_before_close_minutes: float | None = Field(
        default=None, gt=0.0, description="be flat overnight; unset: hold"
    )

    log_level: Literal["debug", "info", "warning", "error"] | None = Field(
        default=None, description="info where lines are collected, warning where a person watches"
    )
    metrics_port: int = Field(default=0, ge=0, le=65_535, description="on 127.0.0.1; 0: none")
    alert_urls: SecretStr = Field(
        default=SecretStr(""), validation_alias="SLIPWAY_ALERT_URLS", description="apprise's, one or several"
    )
    alert_repeat_s: float = Field(
        default=300.0, description="the same alert about the same subject is told once in so long"
    )
    alerts_per_minute: float = Field(default=10.0, gt=0.0, description="to people; all are logged")
    feed_stale_s: float = Field(
        default=10.0, description="a live feed that says nothing of itself for so long"
    )
    broker_silent_s: float = Field(default=60.0, description="without an answer, before a person hears of it")
    flat_within_s: float = Field(default=60.0, description="a kill that is not proved by then calls a person")
    disk_free_gb_min: float = Field(default=2.0, ge=0.0)

    @property
    def rate(self) -> Rate:
        allowed = 0.0 if self.broker == "sim" else ALPACA_PER_MINUTE
        return Rate((self.requests_per_minute or allowed) / 60.0, self.requests_at_once, self.requests_kept)

    @property
    def limits(self) -> Limits:
        """Of an account for which nobody set others."""
        return Limits(**{name: getattr(self, name) for name in NAMES})
