"""Connections: a name resolved once, every address checked, one of them connected to.

The name is never looked up again: the socket is opened to an address that was checked, and TLS
still proves the name. No proxy is asked, whatever the environment says.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from gen_video.egress.addresses import IPAddress, is_private, is_public, parse_address
from gen_video.egress.fetcher import UrlRefusedError
from gen_video.egress.targets import Target

CONNECT_SECONDS = 5.0
"""For one address of several; the deadline of the whole fetch may be nearer."""
MAX_ADDRESSES = 4
"""How many addresses of one name are tried."""

Resolve = Callable[[str], Sequence[str]]
"""Gives the addresses of a name; raises `OSError` where it has none."""


class Connect(Protocol):
    """Opens a TCP connection to an address."""

    def __call__(self, address: IPAddress, port: int, *, timeout_seconds: float) -> socket.socket:
        """Raise `OSError` where the address does not answer in time."""
        ...


class Deadline:
    """The moment by which all of a fetch, or of a post, must be over."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def remaining_seconds(self) -> float:
        """Return what is left, always more than zero.

        Raises:
            TimeoutError: Nothing is.
        """
        remaining = self._ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    def at_most(self, seconds: float) -> "Deadline":
        """Return a deadline that is no later than this one, and no further away than that."""
        return Deadline(min(seconds, self._ends_at - time.monotonic()))


def resolve_name(name: str) -> list[str]:
    """Ask the system's resolver for all addresses of a name."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def connect_tcp(address: IPAddress, port: int, *, timeout_seconds: float) -> socket.socket:
    """Open a connection to an address; no name is looked up."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_seconds)
        connection.connect((str(address), port))
    except OSError:
        connection.close()
        raise
    return connection


def find_addresses(
    target: Target, *, resolve: Resolve, allow_private: bool, deadline: Deadline
) -> list[IPAddress]:
    """Return the addresses of a target, each of which may be reached.

    Raises:
        UrlRefusedError: One of them may not.
        OSError: There is none.
        TimeoutError: The resolver was too slow.
    """
    if target.address is not None:
        addresses = [target.address]
    else:
        answers = _resolve_in_time(target.host, resolve, deadline.remaining_seconds())
        addresses = [_read_answer(answer) for answer in answers]
    if not addresses:
        raise socket.gaierror(socket.EAI_NONAME, "no addresses")
    for address in addresses:
        if not (is_public(address) or (allow_private and is_private(address))):
            raise _not_public()
    return list(dict.fromkeys(addresses))


def open_connection(
    target: Target, addresses: list[IPAddress], *, connect: Connect, deadline: Deadline
) -> socket.socket:
    """Connect to the first of the addresses that answers.

    Raises:
        OSError: None did; the error is the last one's.
    """
    failure: OSError | None = None
    for address in addresses[:MAX_ADDRESSES]:
        timeout_seconds = min(CONNECT_SECONDS, deadline.remaining_seconds())
        try:
            return connect(address, target.port, timeout_seconds=timeout_seconds)
        except OSError as error:
            failure = error
    raise failure or socket.gaierror(socket.EAI_NONAME, "no addresses")


def secure_connection(
    connection: socket.socket, target: Target, *, context: ssl.SSLContext, deadline: Deadline
) -> ssl.SSLSocket:
    """Begin TLS; the certificate must be for the target's host, whatever the address."""
    connection.settimeout(deadline.remaining_seconds())
    return context.wrap_socket(connection, server_hostname=target.host)


def _resolve_in_time(name: str, resolve: Resolve, timeout_seconds: float) -> Sequence[str]:
    """Resolve on a thread of its own: the system's resolver takes no timeout.

    A thread that is given up ends when the resolver does, within its own limits.
    """
    future: Future[Sequence[str]] = Future()

    def ask() -> None:
        try:
            future.set_result(resolve(name))
        except (OSError, UnicodeError) as error:
            future.set_exception(error)

    threading.Thread(target=ask, name="egress-resolve", daemon=True).start()
    return future.result(timeout_seconds)


def _read_answer(text: str) -> IPAddress:
    try:
        return parse_address(text)
    except ValueError as error:
        raise _not_public() from error


def _not_public() -> UrlRefusedError:
    return UrlRefusedError(
        reason="its host is not on the public Internet", reason_zh="其主机不在公共互联网上"
    )
