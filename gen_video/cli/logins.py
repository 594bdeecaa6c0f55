"""The services that somebody is logged in to, and their keys, in a file of that person alone.

A key is given to the address that it was stored for and to no other.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer

from gen_video.client.connection import ADDRESS_VARIABLE, KEY_VARIABLE
from gen_video.errors import ServiceError

FILE_NAME = "logins.json"


class LoginsUnusableError(ServiceError):
    """The file of logins cannot be read or written."""

    code = "logins_unusable"
    message_en = "{name}: {reason}. Remove the file and log in again"
    message_zh = "{name}：{reason}。请删除该文件后重新登录"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """Keys by address, and which address is meant when none is named."""

    current: str | None = None
    keys: Mapping[str, str] = field(default_factory=dict)

    def with_login(self, base_url: str, key: str) -> "Logins":
        """Return the logins with one more, which is the current one now."""
        return Logins(current=base_url, keys={**self.keys, base_url: key})

    def without(self, base_url: str) -> "Logins":
        """Return the logins without one of them."""
        keys = {url: key for url, key in self.keys.items() if url != base_url}
        if self.current != base_url:
            return replace(self, keys=keys)
        return Logins(current=next(iter(keys), None), keys=keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which service a command is for, and with which key; None where nothing says so."""

    base_url: str | None
    key: str | None = field(repr=False)


def logins_file() -> Path:
    """Return where the logins are kept: in the platform's folder for settings."""
    return Path(typer.get_app_dir("gen-video")) / FILE_NAME


def find_target(base_url: str | None) -> Target:
    """Return what a command is for: its option first, then the environment, then the login."""
    variables = os.environ  # noqa: TID251 - the person's, not the service's settings
    logins = read_logins()
    address = base_url or variables.get(ADDRESS_VARIABLE) or logins.current
    address = None if address is None else clean(address)
    key = variables.get(KEY_VARIABLE) or (None if address is None else logins.keys.get(address))
    return Target(base_url=address, key=key)


def clean(base_url: str) -> str:
    """Return an address as it is stored."""
    return base_url.strip().rstrip("/").removesuffix("/api/v1").rstrip("/")


def read_logins() -> Logins:
    """Read the logins; none where there is no file.

    Raises:
        LoginsUnusableError: The file is there and cannot be read.
    """
    path = logins_file()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _parse(content["current"], content["keys"])
    except FileNotFoundError:
        return Logins()
    except OSError as error:
        raise LoginsUnusableError(name=str(path), reason=error.strerror) from error
    except (ValueError, KeyError, TypeError) as error:
        raise LoginsUnusableError(name=str(path), reason="damaged / 已损坏") from error


def _parse(current: object, keys: object) -> Logins:
    if not (current is None or isinstance(current, str)) or not isinstance(keys, dict):
        raise TypeError
    if not all(isinstance(text, str) for pair in keys.items() for text in pair):
        raise TypeError
    return Logins(current=current, keys=keys)


def write_logins(logins: Logins) -> None:
    """Write the logins whole or not at all, readable by their owner alone.

    Raises:
        LoginsUnusableError: The folder cannot be written.
    """
    path = logins_file()
    content = {"current": logins.current, "keys": dict(logins.keys)}
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A temporary file of this kind is its owner's alone (0600) from its first moment.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".logins-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
            Path(temporary).replace(path)
        finally:
            with suppress(FileNotFoundError):
                Path(temporary).unlink()
    except OSError as error:
        raise LoginsUnusableError(name=str(path), reason=error.strerror) from error
