"""The poster: sends a body to an address that a user named, and learns the status of the answer.

The same rules as for fetching: the name is resolved once, one address that may not be reached
refuses it, the connection goes to an address that was checked. A redirect is an answer like any
other: nothing is sent anywhere else.
"""

from collections.abc import Sequence
from typing import Protocol

from typing_extensions import override

from gen_video.egress.connections import Deadline
from gen_video.egress.exchange import Exchange, Posted
from gen_video.egress.failures import failures_as_unreachable
from gen_video.egress.fetcher import UrlUnreachableError
from gen_video.egress.targets import Target
from gen_video.egress.way import Way

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
        way: How targets are reached; to public addresses only if nothing else is said.
        deadline_seconds: For a whole post, from the name to the answer's head.
    """

    def __init__(self, way: Way | None = None, *, deadline_seconds: float = POST_SECONDS) -> None:
        self._way = way or Way()
        self._deadline_seconds = deadline_seconds

    @override
    def post(self, target: Target, body: bytes, headers: Headers) -> Posted:
        deadline = Deadline(self._deadline_seconds)
        with failures_as_unreachable(), self._way.open(target, deadline) as connection:
            return Exchange(connection, deadline).post(target, body, headers)

    @override
    def look_up(self, target: Target) -> None:
        try:
            with failures_as_unreachable():
                self._way.find_addresses(target, Deadline(LOOK_UP_SECONDS))
        except UrlUnreachableError:
            return
