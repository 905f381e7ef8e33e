"""The infra room's settings: ports of the embedded services, for who wants to choose them."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Field(default=None, ge=1, le=65535, description="this port or none; a free one is chosen when unset")


class InfraSettings(BaseSettings):
    """Where the local services listen. All of them on the loopback."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_INFRA_", extra="ignore")

    api_port: int | None = Port
    dagster_webserver_port: int | None = Port
    lab_port: int | None = Port
    exchange_port: int | None = Port
    postgres_port: int | None = Port
    valkey_port: int | None = Port
    dagster_database_url: SecretStr | None = Field(
        default=None, description="Dagster's own database; `dagster` beside SLIPWAY_DATABASE_URL's when unset"
    )

    def chosen_port(self, service: str) -> int | None:
        port: int | None = getattr(self, f"{service.replace('-', '_')}_port")
        return port
