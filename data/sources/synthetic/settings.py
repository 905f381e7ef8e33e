"""The one reader of the synthetic market's environment."""

from typing import Annotated, Final

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

DEFAULT_SEED: Final = 7


class SyntheticSettings(BaseSettings):
    """Which market it is, and what is broken about its feed."""

    model_config = SettingsConfigDict(env_prefix="SLIPWAY_SYNTHETIC_", extra="ignore")

    seed: int = Field(default=DEFAULT_SEED, description="another seed is another market")
    faults: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(), description="names of faults to switch on, separated by commas"
    )

    @field_validator("faults", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(name.strip() for name in value.split(",") if name.strip())
        return value
