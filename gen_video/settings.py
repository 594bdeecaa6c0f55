"""Settings: everything an operator can set, from the environment or a `.env` file.

Names carry the prefix `GEN_VIDEO_`. Read here and at the entry points only; `wiring` turns them
into objects. `.env.example` documents each with unit and default, and a house test compares both.
"""

import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
ORIGIN = r"\*|[a-z][a-z0-9+.-]*://[a-z0-9.-]+(:\d+)?|[a-z][a-z0-9+.-]*://\[[0-9a-f:.]+\](:\d+)?"
DEVICE = r"(auto|cpu|mps|(cuda|xpu|npu)(:\d+)?)"
Alias = Annotated[str, Field(pattern=r"^[^\s=*]+\*?=[^\s=]+$")]
DEVELOPMENT_SECRET = "development-only-secret-not-for-production"  # noqa: S105 - the gate below refuses it


class Environment(StrEnum):
    """Where the service runs; test keys and the built-in secret exist only in development."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """The effective settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix="GEN_VIDEO_", env_file=".env", extra="ignore", frozen=True
    )

    environment: Environment = Environment.DEVELOPMENT
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    web_processes: Annotated[int, Field(ge=1, le=64)] = 1
    public_url: str = ""
    trusted_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    docs_enabled: bool | None = None

    data_dir: Path = PROJECT_FOLDER / "data"
    output_dir: Path = PROJECT_FOLDER / "outputs" / "api"
    database_url: str = ""
    database_pool_size: Annotated[int, Field(ge=2, le=200)] = 8
    database_pooler: Literal["none", "transaction"] = "none"
    database_listen_url: str = ""
    secret_key: SecretStr = SecretStr("")
    timezone: str = "Asia/Shanghai"

    broker_url: SecretStr = SecretStr("")
    worker_pools: Annotated[tuple[str, ...], NoDecode] = ()
    worker_tiers: Annotated[tuple[str, ...], NoDecode] = ()
    worker_concurrency: Annotated[int, Field(ge=1, le=64)] = 1
    worker_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    batch_ageing_seconds: Annotated[float, Field(ge=0)] = 600.0
    warm_model_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0

    storage_url: str = ""
    s3_endpoint: str = ""
    s3_public_endpoint: str = ""
    s3_region: str = "us-east-1"
    s3_access_key_id: str = ""
    s3_secret_access_key: SecretStr = SecretStr("")
    file_delivery: Annotated[str, Field(pattern="^(proxy|redirect)$")] = "proxy"
    file_url_seconds: Annotated[int, Field(ge=10, le=604_800)] = 3600

    rate_limit_url: SecretStr = SecretStr("")
    rate_limits: bool = True

    models_file: Path = PROJECT_FOLDER / "models.toml"
    default_image_model: str = "mini"
    default_video_model: str = ""
    enabled_models: Annotated[tuple[str, ...], NoDecode] = ()
    model_aliases: Annotated[tuple[Alias, ...], NoDecode] = ()
    lora_dir: Path = PROJECT_FOLDER / "models" / "loras"
    device: Annotated[str, Field(pattern=rf"^{DEVICE}(,{DEVICE})*$")] = "auto"
    engine_threads: Annotated[int, Field(ge=0, le=256)] = 0
    engine_memory_mib: Annotated[int, Field(ge=0)] = 0
    engine_hang_seconds: Annotated[float, Field(ge=1)] = 180.0
    engine_load_seconds: Annotated[float, Field(ge=1)] = 1800.0
    preload_models: Annotated[tuple[str, ...], NoDecode] = ("mini",)
    hub_offline: bool = False
    video_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    enable_test_model: bool = False

    lease_seconds: Annotated[float, Field(ge=1, le=3600)] = 60.0
    sweep_seconds: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    drain_notice_seconds: Annotated[float, Field(ge=0, le=300)] = 0.0
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 25.0
    job_deadline_seconds: Annotated[int, Field(ge=1)] = 86_400
    job_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    sync_wait_seconds: Annotated[int, Field(ge=1, le=600)] = 600
    queue_limit: Annotated[int, Field(ge=1)] = 10_000

    retention_days: Annotated[int, Field(ge=0)] = 30
    url_access: Annotated[str, Field(pattern="^(public|any|off)$")] = "public"
    webhook_http: bool = False
    webhook_senders: Annotated[int, Field(ge=0, le=64)] = 8
    file_access: Annotated[str, Field(pattern="^(link|key|signed)$")] = "link"
    max_json_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    max_upload_bytes: Annotated[int, Field(ge=1024)] = 26_214_400

    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    log_format: Annotated[str, Field(pattern="^(json|console|auto)$")] = "auto"
    log_prompts: bool = False
    metrics_access: Annotated[str, Field(pattern="^(local|open|off)$")] = "local"

    @field_validator(
        "trusted_hosts",
        "cors_origins",
        "enabled_models",
        "model_aliases",
        "preload_models",
        "worker_pools",
        "worker_tiers",
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _whole_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [origin for origin in value if not re.fullmatch(ORIGIN, origin)]
        if wrong or ("*" in value and len(value) > 1):
            raise ValueError(
                "name origins as browsers send them, such as https://app.example.com or "
                f"http://localhost:3000, or * alone for every origin: {', '.join(wrong or value)}"
            )
        return value

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"unknown time zone {value!r}, use a name such as Asia/Shanghai"
            ) from error
        return value

    @model_validator(mode="after")
    def _secret_in_production(self) -> Self:
        secret = self.secret_key.get_secret_value()
        if self.environment is Environment.PRODUCTION and (
            len(secret) < 32 or secret == DEVELOPMENT_SECRET  # noqa: PLR2004 - 32 characters ≈ 128 bits in hex
        ):
            raise ValueError(
                "GEN_VIDEO_SECRET_KEY must be set in production: at least 32 random characters, "
                'for example from: python3 -c "import secrets; print(secrets.token_hex(32))"'
            )
        return self

    @property
    def is_production(self) -> bool:
        """Tell whether test keys and development conveniences must be off."""
        return self.environment is Environment.PRODUCTION

    @property
    def effective_database_url(self) -> str:
        """Return the SQLAlchemy URL; the default is a SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'gen_video.sqlite3'}"

    @property
    def pepper(self) -> bytes:
        """Return the key of the keyed hash under which API keys are stored."""
        return (self.secret_key.get_secret_value() or DEVELOPMENT_SECRET).encode()

    @property
    def is_logging_json(self) -> bool:
        """Tell whether logs are JSON; `auto` means unless somebody reads them on a terminal."""
        if self.log_format == "auto":
            return not sys.stderr.isatty()
        return self.log_format == "json"

    @property
    def metrics_folder(self) -> Path:
        """Return where the processes of this machine add up their metrics."""
        return self.data_dir / "metrics"

    @property
    def business_timezone(self) -> ZoneInfo:
        """Return the time zone whose midnights end a quota day."""
        return ZoneInfo(self.timezone)


INSTALLER_NAMES = frozenset({"GEN_VIDEO_TORCH", "GEN_VIDEO_TORCH_INDEX_URL"})
TEST_PREFIX = "GEN_VIDEO_TEST_"


def find_unknown_names() -> list[str]:
    """Return names in the environment and `.env` that look like settings and are none."""
    known = {f"GEN_VIDEO_{name.upper()}" for name in Settings.model_fields} | INSTALLER_NAMES
    given = {name.upper() for name in (*os.environ, *dotenv_values(".env"))}
    return sorted(
        name
        for name in given - known
        if name.startswith("GEN_VIDEO_") and not name.startswith(TEST_PREFIX)
    )


def process_environment() -> dict[str, str]:
    """Return a copy of this process's environment, for children that get a part of it."""
    return dict(os.environ)
