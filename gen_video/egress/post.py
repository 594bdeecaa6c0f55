"""The poster: sends a body to an address that a user named, and learns the status of the answer.

The same rules as for fetching: the name is resolved once, one address that may not be reached
refuses it, the connection goes to an address that was checked. A redirect is an answer like any
other: nothing is sent anywhere else.
"""

import ssl
from collections.abc import Sequence
from typing import Protocol

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
from gen_video.egress.exchange import Exchange, Posted
from gen_video.egress.failures import failures_as_unreachable
from gen_video.egress.fetch import create_ssl_context
from gen_video.egress.fetcher import UrlUnreachableError
from gen_video.egress.targets import Target

POST_SECONDS = 15.0
LOOK_UP_SECONDS = 2.0

Headers = Sequence[tuple[str, str]]


class Poster(Protocol):
    """Sends what users asked for to where they asked for it. Calls block, from any thread."""

    def post(self, target: Target, body: bytes, headers: Headers) -> Posted:
        """Send a body.

        Raises:
            UrlRefusedError: The target's address is not one that may be reached.
            UrlUnreachableError: No answer came.
        """
        ...

    def look_up(self, target: Target) -> None:
        """Check the addresses that a name has now; one that has none passes, it may have later.

        Raises:
            UrlRefusedError: One of them may not be reached.
        """
        ...


class EgressPoster(Poster):
    """Posts over http and https.

    Args:
        allow_private: Also reach loopback and private networks, never link-local or metadata.
        deadline_seconds: For a whole post, from the name to the answer's head.
        ssl_context: Which certificates to trust, if not those of `certifi`.
        resolve: Finds the addresses of a name.
        connect: Opens a connection to one that was checked.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        deadline_seconds: float = POST_SECONDS,
        ssl_context: ssl.SSLContext | None = None,
        resolve: Resolve = resolve_name,
        connect: Connect = connect_tcp,
    ) -> None:
        self._allow_private = allow_private
        self._deadline_seconds = deadline_seconds
        self._ssl_context = ssl_context or create_ssl_context()
        self._resolve = resolve
        self._connect = connect

    @override
    def post(self, target: Target, body: bytes, headers: Headers) -> Posted:
        deadline = Deadline(self._deadline_seconds)
        with failures_as_unreachable():
            addresses = find_addresses(
                target, resolve=self._resolve, allow_private=self._allow_private, deadline=deadline
            )
            opened = open_connection(target, addresses, connect=self._connect, deadline=deadline)
            with opened as plain:
                if target.scheme == "http":
                    return Exchange(plain, deadline).post(target, body, headers)
                secured = secure_connection(
                    plain, target, context=self._ssl_context, deadline=deadline
                )
                with secured as encrypted:
                    return Exchange(encrypted, deadline).post(target, body, headers)

    @override
    def look_up(self, target: Target) -> None:
        try:
            with failures_as_unreachable():
                find_addresses(
                    target,
                    resolve=self._resolve,
                    allow_private=self._allow_private,
                    deadline=Deadline(LOOK_UP_SECONDS),
                )
        except UrlUnreachableError:
            return
