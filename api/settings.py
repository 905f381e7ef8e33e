"""The monitor's settings, the only reader of SLIPWAY_API_* variables."""

from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.errors import Refused

LOCAL_HOSTS = "127.0.0.1,localhost,[::1]"


class ApiSettings(BaseSettings):
    """Where the monitor listens, whom it lets in, and how much it hands out at once."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_API_", extra="ignore")

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8400, ge=1, le=65535, description="port to listen on")
    allowed_hosts: str = Field(default=LOCAL_HOSTS, description="names we answer to, comma-separated")
    page_dir: Path = Field(default=Path(__file__).parent / "web" / "dist", description="the built page")

    token_key: SecretStr | None = Field(
        default=None, description="signs tokens; made in <state>/keys when unset"
    )
    token_minutes: int = Field(default=15, ge=1, le=24 * 60, description="life of one access token")
    session_hours: int = Field(default=12, ge=1, le=72, description="how long a log-in can be renewed")
    admin_name: str = Field(default="admin", min_length=1, max_length=64, description="the first user")
    admin_password: SecretStr | None = Field(
        default=None, description="of the first user; generated when unset"
    )
    login_attempts_per_minute: int = Field(default=6, ge=1, description="per name and address")

    pool_size: int = Field(default=8, ge=2, le=100, description="Postgres connections")
    rows_max: int = Field(default=5_000, ge=1, le=50_000, description="rows in one answer, at most")
    candle_source: str = Field(default="synthetic", description="whose candles charts show")
    viewers_max: int = Field(default=500, ge=1, description="open streams, at most")
    viewer_queue_frames: int = Field(default=256, ge=8, description="lag at which a viewer is dropped")

    @property
    def host_names(self) -> list[str]:
        return [name.strip() for name in self.allowed_hosts.split(",") if name.strip()]

    def refuse_weakness(self) -> None:
        """Called in production: what is convenient on a laptop is a hole on a server."""
        if "*" in self.host_names or self.allowed_hosts == LOCAL_HOSTS:
            raise Refused(
                f"production does not answer for the hosts {self.allowed_hosts!r}",
                "Set SLIPWAY_API_ALLOWED_HOSTS to the names of the monitor's own address.",
            )
        if self.token_key is None or len(self.token_key.get_secret_value()) < 32:
            raise Refused(
                "production needs a token key of its own, shared by every instance, of at least 32 characters",
                "Set SLIPWAY_API_TOKEN_KEY, for example to the output of `openssl rand -hex 32`.",
            )
        if self.token_minutes > 60:
            raise Refused(
                f"production does not hand out tokens that live {self.token_minutes} minutes",
                "Set SLIPWAY_API_TOKEN_MINUTES to 60 or less.",
            )


@lru_cache(maxsize=1)
def get_api_settings() -> ApiSettings:
    return ApiSettings()
