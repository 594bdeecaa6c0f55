"""Targets: a URL taken apart once, strictly. What is checked is what is connected to.

Anything that two parsers might read differently is refused rather than repaired.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Literal
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import idna

from gen_video.egress.addresses import IPAddress, parse_address
from gen_video.egress.fetcher import UrlRefusedError

WEB_PORTS = frozenset({80, 443, 8080, 8443})
MAX_URL_CHARACTERS = 4096
SCHEME_PORTS = {"http": 80, "https": 443}
KEPT_CHARACTERS = "%/:=&?~+!$,;'@()*[]"
"""What `quote` leaves alone besides letters and digits: the reserved characters of RFC 3986."""

_HOST_AND_PORT = re.compile(
    r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[^\[\]:%]+))(?::(?P<port>[0-9]{0,5}))?"
)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes.

    `host` is lower-case ASCII: a name without a final dot, or a canonical address without
    brackets; then `address` is set. `path` begins with a slash and includes the query.
    """

    scheme: Literal["http", "https"]
    host: str
    address: IPAddress | None
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """Return the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == SCHEME_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str, *, ports: Container[int] = WEB_PORTS) -> Target:
    """Take a URL apart.

    Raises:
        UrlRefusedError: It is not http or https, names a port that is not in `ports`, carries
            credentials, or is written in a way that is not understood.
    """
    parts = _split(url)
    if parts.scheme not in SCHEME_PORTS:
        raise UrlRefusedError(
            reason="it must begin with http:// or https://",
            reason_zh="必须以 http:// 或 https:// 开头",
        )
    if "@" in parts.netloc:
        raise UrlRefusedError(
            reason="it carries a user name or password", reason_zh="其中带有用户名或密码"
        )
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    host, address, port = _parse_netloc(parts.netloc, default_port=SCHEME_PORTS[scheme])
    if port not in ports:
        raise UrlRefusedError(
            reason="its port is not one of the web's", reason_zh="其端口不是常用的网页端口"
        )
    path = quote(parts.path or "/", safe=KEPT_CHARACTERS)
    query = f"?{quote(parts.query, safe=KEPT_CHARACTERS)}" if parts.query else ""
    return Target(scheme=scheme, host=host, address=address, port=port, path=path + query)


def follow_redirect(target: Target, location: str, *, ports: Container[int] = WEB_PORTS) -> Target:
    """Return where a redirect leads, checked like any URL.

    Raises:
        UrlRefusedError: It leads to what is not requested, or from https to http.
    """
    base = f"{target.scheme}://{target.host_header}{target.path}"
    try:
        url = urljoin(base, location)
    except ValueError as error:
        raise _not_understood() from error
    following = parse_target(url, ports=ports)
    if (target.scheme, following.scheme) == ("https", "http"):
        raise UrlRefusedError(
            reason="it redirects from https to plain http",
            reason_zh="它从 https 重定向到了未加密的 http",
        )
    return following


def _split(url: str) -> SplitResult:
    if len(url) > MAX_URL_CHARACTERS:
        raise UrlRefusedError(
            reason=f"it has more than {MAX_URL_CHARACTERS} characters",
            reason_zh=f"长度超过 {MAX_URL_CHARACTERS} 个字符",
        )
    if _FORBIDDEN.search(url):  # before urlsplit, which drops line breaks and tabs in silence
        raise UrlRefusedError(
            reason="it contains spaces, backslashes or control characters",
            reason_zh="其中含有空格、反斜杠或控制字符",
        )
    try:
        return urlsplit(url)
    except ValueError as error:
        raise _not_understood() from error


def _parse_netloc(netloc: str, *, default_port: int) -> tuple[str, IPAddress | None, int]:
    match = _HOST_AND_PORT.fullmatch(netloc)
    if match is None:
        raise _not_understood()
    port = int(match["port"]) if match["port"] else default_port
    if match["v6"] is not None:
        v6 = _parse_literal(match["v6"], IPv6Address)
        return str(v6), parse_address(str(v6)), port
    name = _normalize_name(match["name"])
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        # Resolvers read 0x7f.1, 2130706433 and 0177.0.0.1 as addresses; we take dotted quads.
        v4 = _parse_literal(name, IPv4Address)
        return str(v4), v4, port
    return name, None, port


def _parse_literal(text: str, kind: type[IPv4Address] | type[IPv6Address]) -> IPAddress:
    try:
        return kind(text)
    except ValueError as error:
        raise _not_understood() from error


def _normalize_name(name: str) -> str:
    """Return a host name as DNS and TLS see it.

    Names outside ASCII are mapped first (UTS 46): full-width digits and dots become an address.
    """
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True, std3_rules=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise _not_understood() from error
    name = name.lower().removesuffix(".")
    if len(name) > 253 or _NAME.fullmatch(name) is None:  # noqa: PLR2004 - the limit of DNS
        raise _not_understood()
    return name


def _not_understood() -> UrlRefusedError:
    return UrlRefusedError(
        reason="its host is not written as a usual name or address",
        reason_zh="其主机不是常规写法的域名或地址",
    )
