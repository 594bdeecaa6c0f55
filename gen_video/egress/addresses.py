"""Addresses: which of them a request on a user's behalf may reach.

The lists are our own. `ipaddress` alone calls multicast, 6to4, site-local and local NAT64 addresses
global, changes its mind between Python versions, and knows no cloud. Both must agree.

Source: IANA special-purpose address registries for IPv4 and IPv6, RFC 6890 and RFC 8190.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPAddress = IPv4Address | IPv6Address

PRIVATE_V4 = tuple(
    IPv4Network(block)
    for block in (
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata service is in it
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks; proxies on developers' machines answer every name from it
    )
)
"""Somebody's own network: an operator may open it, a user never."""

REFUSED_V4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # "this network": Linux takes 0.0.0.0 for itself
        "168.63.129.16/32",  # looks public, and is the host agent of Azure's machines
        "169.254.0.0/16",  # link-local, the metadata service of most clouds
        "192.0.0.0/24",  # protocol assignments, the metadata service of Oracle's cloud
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",  # AS112
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
"""Never an answer to a user's URL, whoever the operator is."""

PRIVATE_V6 = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
PUBLIC_V6 = IPv6Network("2000::/3")
"""All that is handed out for use; what lies outside is refused without naming it."""

REFUSED_V6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address inside, and nobody serves pictures there
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
METADATA_V6 = (IPv6Network("fd00:ec2::/32"), IPv6Network("fd20:ce::/32"))
"""The metadata services of Amazon's and Google's clouds: inside a private block, never opened."""

NAT64 = IPv6Network("64:ff9b::/96")
"""A translator sends what is sent here to the IPv4 address in the last 32 bits (RFC 6052)."""


def parse_address(text: str) -> IPAddress:
    """Read an address as a resolver writes it.

    An IPv4-mapped one becomes the IPv4 address that the system would connect to.

    Raises:
        ValueError: Not an address, or one of a named interface (`fe80::1%eth0`).
    """
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return address
    if address.scope_id is not None:
        raise ValueError("an address of one interface only")
    return address.ipv4_mapped or address


def is_public(address: IPAddress) -> bool:
    """Tell whether an address is on the public Internet."""
    address = _reached_by(address)
    if not address.is_global:
        return False
    if isinstance(address, IPv4Address):
        return not _is_in(address, PRIVATE_V4) and not _is_in(address, REFUSED_V4)
    return address in PUBLIC_V6 and not _is_in(address, REFUSED_V6)


def is_private(address: IPAddress) -> bool:
    """Tell whether an address is in a network that an operator may open: never metadata."""
    address = _reached_by(address)
    if isinstance(address, IPv4Address):
        return _is_in(address, PRIVATE_V4)
    return _is_in(address, PRIVATE_V6) and not _is_in(address, METADATA_V6)


def _reached_by(address: IPAddress) -> IPAddress:
    """Return the address at the far end: mapped and translated ones stand for an IPv4 address."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def _is_in(address: IPAddress, networks: tuple[IPv4Network, ...] | tuple[IPv6Network, ...]) -> bool:
    return any(address in network for network in networks)
