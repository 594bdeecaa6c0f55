"""Who shares an allowance of requests, and how large it is. Pure."""

import ipaddress
from functools import lru_cache

from gen_video.throttles.throttle import Rate

WINDOW_SECONDS = 60
STRANGER_RATE = Rate(limit=60, window_seconds=WINDOW_SECONDS, is_strict=True)
"""For requests without a valid key, where one is needed."""
IPV6_PREFIX = 64
MAX_HOST_LENGTH = 100


@lru_cache(maxsize=256)
def account_rate(requests_per_minute: int) -> Rate | None:
    """Return the rate of an account whose plan says so; None without a limit (0)."""
    if requests_per_minute <= 0:
        return None
    return Rate(limit=requests_per_minute, window_seconds=WINDOW_SECONDS)


def account_bucket(account_id: str) -> str:
    """Return the bucket of an account: all its keys share it."""
    return f"account:{account_id}"


def stranger_bucket(host: str | None) -> str:
    """Return the bucket of a client that is known by its address only.

    One bucket for all of an IPv6 network of 64 bits, as that is what one customer is given, and
    for an IPv4 address in either spelling.
    """
    if host is None:
        return "address:unknown"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return f"address:{host[:MAX_HOST_LENGTH]}"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return f"address:{address.ipv4_mapped}"
        network = ipaddress.ip_network((address, IPV6_PREFIX), strict=False)
        return f"address:{network}"
    return f"address:{address}"
