"""The data room's settings, and the one place that knows where the local services are.

Explicit environment variables win; without them the embedded services that the supervisor
started are used, whose addresses stand in `<state>/run/services.json` (mode 0600).
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.errors import Corrupt, Unavailable

if TYPE_CHECKING:
    from data.quality import Limits

ROOT = Path(__file__).resolve().parent.parent


class Market(BaseModel, extra="forbid"):
    """What the nightly sync keeps up to date: some symbols of a source, all it knows when none are named."""

    source: str
    symbols: tuple[str, ...] = ()
    timeframe: str = "1m"


class DataSettings(BaseSettings):
    """Where the ledger, the bus and the lake are."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_", extra="ignore")

    env: Literal["development", "production"] = "development"
    state_dir: Path = Field(default=ROOT / ".slipway", description="local state: services, lake, keys, logs")
    database_url: SecretStr | None = Field(default=None, description="postgresql://… ; embedded when unset")
    redis_url: SecretStr | None = Field(default=None, description="redis://… ; embedded when unset")
    exchange_url: str | None = Field(default=None, description="http://… of the exchange simulator")
    lake_url: str = Field(default="", description="file://… or s3://bucket/prefix; <state>/lake when unset")
    lake_s3_endpoint: str | None = Field(default=None, description="endpoint of an S3 API that is not AWS")
    markets: tuple[Market, ...] = Field(
        default=(Market(source="synthetic"),), description="JSON: what `slipway data sync` keeps up to date"
    )
    sync_sessions_max: int = Field(default=30, ge=1, description="how far back a sync fills what is missing")
    candles_keep_days: int = Field(default=400, ge=1, description="behind the newest candle; older months go")
    quality_gap_share_max: float = Field(default=0.05, ge=0, le=1, description="of a session's bars missing")
    quality_gap_bars_max: int = Field(default=30, ge=0, description="bars missing in a row")
    quality_stale_bars_max: int = Field(default=60, ge=1, description="bars in a row without trade or move")
    quality_split_tolerance: float = Field(
        default=0.02, ge=0, lt=0.2, description="how near to a split's ratio a jump overnight looks like one"
    )

    @property
    def lake(self) -> str:
        return self.lake_url or (self.state_dir / "lake").absolute().as_uri()

    def limits(self) -> "Limits":
        """The thresholds of the checks on whole sessions."""
        from data.quality import Limits

        return Limits(
            gap_share_max=self.quality_gap_share_max,
            gap_bars_max=self.quality_gap_bars_max,
            stale_bars_max=self.quality_stale_bars_max,
            split_tolerance=self.quality_split_tolerance,
        )

    @property
    def keys_dir(self) -> Path:
        return self.state_dir / "keys"

    def postgres(self) -> str:
        """The database URL, or a clear error."""
        return self.database_url.get_secret_value() if self.database_url else self._service("database_url")

    def redis(self) -> str:
        return self.redis_url.get_secret_value() if self.redis_url else self._service("redis_url")

    def exchange(self) -> str:
        return self.exchange_url or self._service("exchange_url")

    def _service(self, name: str) -> str:
        try:
            return str(services(self.state_dir)[name])
        except KeyError:
            raise Unavailable(
                f"no {name} is configured and no embedded service is running",
                f"Start the local system with `./slipway up`, or set SLIPWAY_{name.upper()}.",
            ) from None


def services(state_dir: Path) -> dict[str, Any]:
    """What the supervisor last wrote about the services it runs; empty when there is nothing."""
    path = state_dir / "run" / "services.json"
    try:
        known: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Corrupt(f"{path} is not JSON: {error}", "Run `./slipway down` and `./slipway up`.") from error
    return known


@lru_cache(maxsize=1)
def get_settings() -> DataSettings:
    return DataSettings()
