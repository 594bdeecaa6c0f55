"""A pretended Internet: names and addresses of tests, all of which lead to loopback.

The rules of production stay on. Only the last step, the connection to an address that was
checked, goes elsewhere.
"""

import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from gen_video.egress.addresses import IPAddress
from gen_video.egress.fetch import EgressClient
from gen_video.egress.way import Way

PUBLIC = "93.184.215.14"
OTHER_PUBLIC = "2606:2800:21f:cb07::1"
EVERY_PORT = range(1, 65536)


@dataclass(kw_only=True)
class Internet:
    """Names with the answers of each look-up in turn; the last one is repeated.

    Attributes:
        port: Where every connection really goes, on loopback.
        dead: Addresses that refuse connections.
    """

    names: dict[str, list[list[str]]]
    port: int = 0
    dead: set[str] = field(default_factory=set)
    looked_up: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def resolve(self, name: str) -> Sequence[str]:
        with self._lock:
            self.looked_up.append(name)
        answers = self.names.get(name)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect(self, address: IPAddress, port: int, *, timeout_seconds: float) -> socket.socket:
        assert port > 0
        self.connected.append(str(address))
        if str(address) in self.dead:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", self.port), timeout_seconds)

    def client(self, *, deadline_seconds: float = 60.0) -> EgressClient:
        return EgressClient(
            Way(resolve=self.resolve, connect=self.connect), deadline_seconds=deadline_seconds
        )
