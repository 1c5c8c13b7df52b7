"""Settings from the environment: what a machine, not a command, decides."""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import SettingsError


class Settings(BaseSettings):
    """Read from variables that begin with `NARRASCOPE_`, such as `NARRASCOPE_PORT=8080`."""

    model_config = SettingsConfigDict(env_prefix="NARRASCOPE_", extra="ignore")

    models: Path | None = Field(
        default=None, description="folder of trained models to use instead of the shipped ones"
    )
    judge: bool | None = Field(
        default=None,
        description="whether the judge reads what the verdict leaves undecided; by default it does "
        "for score where its extra is installed, and not for scan",
    )
    host: str = Field(default="127.0.0.1", description="address that `serve` binds")
    port: int = Field(default=8080, ge=0, le=65535, description="port that `serve` binds")
    endpoint_key: SecretStr | None = Field(
        default=None, description="bearer token that `audit label` sends to its endpoint"
    )
    log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        description="least level that the service logs",
    )


def read_settings() -> Settings:
    """Read the settings.

    Raises:
        SettingsError: a variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"NARRASCOPE_{str(first['loc'][0]).upper()}"
        raise SettingsError(f"{name} is {first['input']!r}: {first['msg']}") from None
