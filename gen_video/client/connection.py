"""Where the service is, who is calling, and how a call becomes a request."""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import httpx

from gen_video.client.errors import ConfigurationError
from gen_video.client.version import VERSION

T = TypeVar("T")
PREFIX = "/api/v1"
USER_AGENT = f"gen-video-client/{VERSION} (Python {platform.python_version()})"

KEY_VARIABLE = "GEN_VIDEO_API_KEY"
ADDRESS_VARIABLE = "GEN_VIDEO_BASE_URL"

FormFile = tuple[str, tuple[str, bytes, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for each part of an exchange, in seconds.

    Attributes:
        connect: Until the connection stands.
        read: Until the next bytes of an answer.
        stream: Until the next bytes of an event stream; a heartbeat comes every 15 s.
    """

    connect: float = 10.0
    read: float = 60.0
    stream: float = 45.0

    def to_extension(self, *, read: float | None = None) -> dict[str, Any]:
        """Return them in the words of httpx."""
        seconds = self.read if read is None else read
        limits = httpx.Timeout(connect=self.connect, read=seconds, write=self.read, pool=self.read)
        return {"timeout": limits.as_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One call of the service: what is sent, and how the answer is read.

    Attributes:
        is_repeatable: Sending it twice does no more than sending it once.
    """

    method: str
    path: str
    read: Callable[[Any], T]
    params: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    files: Sequence[FormFile] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    is_repeatable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An address and a key; the key goes nowhere else."""

    base_url: str
    api_key: str = field(repr=False)
    language: str | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_retries: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", _clean_address(self.base_url))
        object.__setattr__(self, "api_key", _clean_key(self.api_key))

    def request(self, call: Call[Any]) -> httpx.Request:
        """Return the request of a call; a new one for every attempt."""
        body: dict[str, Any] = {"params": call.params or None}
        if call.form is not None:
            body |= {"data": dict(call.form), "files": list(call.files)}
        elif call.json is not None:
            body["json"] = dict(call.json)
        return httpx.Request(
            call.method,
            f"{self.base_url}{PREFIX}{call.path}",
            headers=self._headers(accept="application/json") | dict(call.headers),
            extensions=self.timeouts.to_extension(),
            **body,
        )

    def open(
        self, url: str, *, accept: str, headers: Mapping[str, str], read_seconds: float
    ) -> httpx.Request:
        """Return the request for something that is read piece by piece."""
        address = self.resolve(url)
        own = self._headers(accept=accept) | {"accept-encoding": "identity"} | dict(headers)
        if not self._is_own(address):
            del own["authorization"]
        return httpx.Request(
            "GET",
            address,
            headers=own,
            extensions=self.timeouts.to_extension(read=read_seconds),
        )

    def resolve(self, url: str) -> str:
        """Return the whole address of something that an answer names."""
        return f"{self.base_url}{url}" if url.startswith("/") else url

    def _is_own(self, address: str) -> bool:
        one, other = httpx.URL(address), httpx.URL(self.base_url)
        return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)

    def _headers(self, *, accept: str) -> dict[str, str]:
        headers = {
            "accept": accept,
            # A bearer token is what HTTP libraries take off when they are led to another host.
            "authorization": f"Bearer {self.api_key}",
            "user-agent": USER_AGENT,
        }
        if self.language:
            headers["accept-language"] = self.language
        return headers


def read_environment() -> tuple[str, str]:
    """Return the address and the key that the environment names.

    Raises:
        ConfigurationError: One of them is not there.
    """
    variables = os.environ  # noqa: TID251 - the client stands alone and knows no settings
    missing = [name for name in (ADDRESS_VARIABLE, KEY_VARIABLE) if not variables.get(name)]
    if missing:
        raise ConfigurationError(f"set {' and '.join(missing)} in the environment")
    return variables[ADDRESS_VARIABLE], variables[KEY_VARIABLE]


def _clean_address(given: str) -> str:
    text = given.strip().rstrip("/").removesuffix(PREFIX).rstrip("/")
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"{given!r} is no address: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment:
        raise ConfigurationError(
            f"{given!r} is no address of a service; write for example http://127.0.0.1:8000"
        )
    if url.userinfo:
        raise ConfigurationError("the address must not carry a user or password; give the API key")
    return text


def _clean_key(given: str) -> str:
    text = given.strip()
    if not text:
        raise ConfigurationError("the API key is empty; ask whoever runs the service for one")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ConfigurationError("the API key has characters that no key has; copy it again")
    return text
