"""Ports for servers of tests and measures, which may be killed and come back to the same one.

Not the system's free ports (port 0): it lends those to outgoing connections too, and one of them
would sit on the port of a server that is down for a moment. Below that range only servers listen.
"""

import random
import socket

RANGE = range(20_000, 32_000)
_given: set[int] = set()


def find_free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on and that this process has given to nobody else."""
    ports: list[int] = []
    for port in random.sample(RANGE, len(RANGE)):
        if len(ports) == count:
            break
        if port not in _given and _is_free(port):
            _given.add(port)
            ports.append(port)
    return ports


def find_free_port() -> int:
    """Return one such port."""
    return find_free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
