"""Stores that throttles share: Redis and both databases."""

from collections.abc import Callable, Iterator

import pytest

from tests.services import REDIS
from tests.throttles.makes import Node, PrivateRedis, make_table

OpenNode = Callable[[], Node]


@pytest.fixture(
    params=[
        pytest.param("redis", marks=pytest.mark.redis),
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
    ]
)
def store_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a store, of every make that processes can share."""
    if request.param == "redis":
        return REDIS.url
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql_url")
    else:
        url = f"sqlite:///{request.getfixturevalue('tmp_path') / 'rates.sqlite3'}"
    make_table(url)
    return url


@pytest.fixture
def open_node(store_url: str) -> Iterator[OpenNode]:
    """Return what opens one more process's throttle on the store."""
    nodes: list[Node] = []

    def start() -> Node:
        nodes.append(Node(store_url))
        return nodes[-1]

    yield start
    for node in nodes:
        node.close()


@pytest.fixture
def private_redis() -> Iterator[PrivateRedis]:
    """Return a running Redis that the test may kill."""
    server = PrivateRedis()
    server.start()
    yield server
    server.close()
