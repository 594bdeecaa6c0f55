"""The egress client: fetches what users name from the public Internet, and from nowhere else.

Every hop is a new URL: parsed, resolved and checked in full, then connected to by address. All
hops share one deadline, which also holds against a server that sends a byte at a time.
"""

import ssl
from collections.abc import Container

import certifi
from typing_extensions import override

from gen_video.egress.connections import (
    Connect,
    Deadline,
    Resolve,
    connect_tcp,
    find_addresses,
    open_connection,
    resolve_name,
    secure_connection,
)
from gen_video.egress.exchange import Exchange, Redirect, Wanted
from gen_video.egress.failures import failures_as_unreachable
from gen_video.egress.fetcher import Fetched, Fetcher, UrlUnreachableError
from gen_video.egress.targets import WEB_PORTS, Target, follow_redirect, parse_target

FETCH_SECONDS = 20.0
MAX_REDIRECTS = 3


class EgressClient(Fetcher):
    """Fetches over http and https.

    Args:
        allow_private: Also reach loopback and private networks, never link-local or metadata:
            for tests, and for operators whose pictures lie on their own network.
        ports: The ports that a URL may name; `range(1, 65536)` for all.
        deadline_seconds: For a whole fetch, from the name to the last byte.
        ssl_context: Which certificates to trust, if not those of `certifi`.
        resolve: Finds the addresses of a name.
        connect: Opens a connection to one that was checked.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        ports: Container[int] = WEB_PORTS,
        deadline_seconds: float = FETCH_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
        resolve: Resolve = resolve_name,
        connect: Connect = connect_tcp,
    ) -> None:
        self._allow_private = allow_private
        self._ports = ports
        self._deadline_seconds = deadline_seconds
        self._ssl_context = ssl_context or create_ssl_context()
        self._resolve = resolve
        self._connect = connect

    @override
    def fetch(self, url: str, *, max_bytes: int, accept: tuple[str, ...]) -> Fetched:
        target = parse_target(url, ports=self._ports)
        wanted = Wanted(max_bytes=max_bytes, accept=accept)
        deadline = Deadline(self._deadline_seconds)
        for _ in range(1 + MAX_REDIRECTS):
            with failures_as_unreachable():
                answer = self._visit(target, wanted, deadline)
            if isinstance(answer, Fetched):
                return answer
            target = follow_redirect(target, answer.location, ports=self._ports)
        raise UrlUnreachableError(
            reason=f"it redirects more than {MAX_REDIRECTS} times",
            reason_zh=f"重定向超过 {MAX_REDIRECTS} 次",
        )

    def _visit(self, target: Target, wanted: Wanted, deadline: Deadline) -> Fetched | Redirect:
        addresses = find_addresses(
            target, resolve=self._resolve, allow_private=self._allow_private, deadline=deadline
        )
        opened = open_connection(target, addresses, connect=self._connect, deadline=deadline)
        with opened as plain:
            if target.scheme == "http":
                return Exchange(plain, deadline).get(target, wanted)
            secured = secure_connection(plain, target, context=self._ssl_context, deadline=deadline)
            with secured as encrypted:
                return Exchange(encrypted, deadline).get(target, wanted)


def create_ssl_context() -> ssl.SSLContext:
    """Return a context that checks the certificate and the host name it is for."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
