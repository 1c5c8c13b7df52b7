"""Settings from the environment: what a machine, not a command, decides."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from .errors import SettingsError


def _listed(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


def _rate(value: str) -> str:
    from limits import parse  # slow to import, and seldom needed

    try:
        parse(value)
    except ValueError:
        raise ValueError("write a number of requests per time, such as 600/minute") from None
    return value


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
"""Several values, parted by commas."""


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
    state: Path | None = Field(
        default=None,
        description="SQLite file with the service's keys and jobs, on a local disk; by default "
        "service.sqlite in the tag folder, or under ~/.cache/narrascope where that is remote",
    )
    require_keys: bool = Field(
        default=False, description="whether `serve` asks for keys on the loopback too"
    )
    rate_limit: Annotated[str, AfterValidator(_rate)] | None = Field(
        default=None,
        description="requests of one key, else one address, in each server process; by default "
        "6000/minute where keys are required",
    )
    body_limit: int = Field(
        default=1_000_000, ge=1, description="bytes that the body of a request may have"
    )
    origins: Listed = Field(
        default=(), description="other sites whose pages may ask the service, as https://a.example"
    )
    withhold_text: bool = Field(
        default=False, description="whether passages are shown only to keys with the scope text"
    )
    corpora: Listed = Field(
        default=(),
        description="local folders or URLs below which a request may have a corpus reweighed",
    )
    outputs: Path | None = Field(
        default=None, description="local folder below which such requests have shards written"
    )
    job_lease: float = Field(
        default=60.0, gt=0, description="seconds of silence after which a worker's job is another's"
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
