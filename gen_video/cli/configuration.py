"""Settings for the commands: read once, with a clear line when they are wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from gen_video.errors import ServiceError
from gen_video.settings import Settings
from gen_video.wiring import Services, build_services


class SettingsError(ServiceError):
    """A setting has a value that cannot be used."""

    code = "settings_invalid"
    message_en = "Settings are invalid: {reason}"
    message_zh = "配置无效：{reason}"


def load_settings() -> Settings:
    """Read the settings from the environment and `.env`.

    Raises:
        SettingsError: Names every setting that is wrong.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(reason="; ".join(_problems(error))) from error
    except UnicodeDecodeError as error:
        raise SettingsError(reason=".env is not UTF-8 / .env 不是 UTF-8 编码") from error


@contextmanager
def open_services() -> Iterator[Services]:
    """Give a command its services, and release them afterwards.

    An empty database is set up. One of another version is left alone: other processes may be
    using it, and only `gen-video migrate` and `gen-video serve` move it.
    """
    services = build_services(load_settings())
    try:
        _prepare(services)
        yield services
    finally:
        services.close()


def _prepare(services: Services) -> None:
    try:
        services.require_schema()
    except ServiceError as error:
        if error.facts.get("found") != "empty":
            raise
        services.migrate()


def _problems(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_input=False):
        reason = problem["msg"].removeprefix("Value error, ")
        name = "_".join(str(part) for part in problem["loc"]).upper()
        yield f"GEN_VIDEO_{name}: {reason}" if name else reason
