"""The egress client: fetches what users name from the public Internet, and from nowhere else.

Every hop is a new URL: parsed, resolved and checked in full, then connected to by address. All
hops share one deadline, which also holds against a server that sends a byte at a time.
"""

from collections.abc import Container

from typing_extensions import override

from gen_video.egress.connections import Deadline
from gen_video.egress.exchange import Exchange, Redirect, Wanted
from gen_video.egress.failures import failures_as_unreachable
from gen_video.egress.fetcher import Fetched, Fetcher, UrlUnreachableError
from gen_video.egress.targets import WEB_PORTS, Target, follow_redirect, parse_target
from gen_video.egress.way import Way

FETCH_SECONDS = 20.0
MAX_REDIRECTS = 3


class EgressClient(Fetcher):
    """Fetches over http and https.

    Args:
        way: How targets are reached; to public addresses only if nothing else is said.
        ports: The ports that a URL may name; `range(1, 65536)` for all.
        deadline_seconds: For a whole fetch, from the name to the last byte.
    """

    def __init__(
        self,
        way: Way | None = None,
        *,
        ports: Container[int] = WEB_PORTS,
        deadline_seconds: float = FETCH_SECONDS,
    ) -> None:
        self._way = way or Way()
        self._ports = ports
        self._deadline_seconds = deadline_seconds

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
        with self._way.open(target, deadline) as connection:
            return Exchange(connection, deadline).get(target, wanted)
