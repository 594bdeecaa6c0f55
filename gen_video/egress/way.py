"""The one way out: a name resolved once, every address checked, a socket to one of them.

Whatever is fetched or posted takes it, so that no second way can forget a check.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import certifi

from gen_video.egress.addresses import IPAddress
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
from gen_video.egress.targets import Target


def create_ssl_context() -> ssl.SSLContext:
    """Return a context that checks the certificate and the host name it is for."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How addresses are found, judged and connected to.

    Attributes:
        allow_private: Also reach loopback and private networks, never link-local or metadata:
            for tests, and for operators whose servers lie on their own network.
        ssl_context: Which certificates to trust; those of `certifi` if nothing else is said.
        resolve: Finds the addresses of a name.
        connect: Opens a connection to one that was checked.
    """

    allow_private: bool = False
    ssl_context: ssl.SSLContext = field(default_factory=create_ssl_context)
    resolve: Resolve = resolve_name
    connect: Connect = connect_tcp

    def find_addresses(self, target: Target, deadline: Deadline) -> list[IPAddress]:
        """Return the addresses of a target.

        Raises:
            UrlRefusedError: One of them may not be reached.
            OSError: There is none.
        """
        return find_addresses(
            target, resolve=self.resolve, allow_private=self.allow_private, deadline=deadline
        )

    @contextmanager
    def open(self, target: Target, deadline: Deadline) -> Iterator[socket.socket]:
        """Connect to a target, encrypted where its scheme says so.

        Raises:
            UrlRefusedError: One of its addresses may not be reached.
            OSError: None answers, or its certificate is not valid.
        """
        addresses = self.find_addresses(target, deadline)
        opened = open_connection(target, addresses, connect=self.connect, deadline=deadline)
        with opened as plain:
            if target.scheme == "http":
                yield plain
                return
            secured = secure_connection(plain, target, context=self.ssl_context, deadline=deadline)
            with secured as encrypted:
                yield encrypted
