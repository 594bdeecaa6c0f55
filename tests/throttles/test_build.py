"""Which throttle the settings choose."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gen_video.db.database import Database
from gen_video.throttles.build import UnknownThrottleError, build_throttle
from gen_video.throttles.database import DatabaseThrottle
from gen_video.throttles.guarded import GuardedThrottle
from gen_video.throttles.memory import MemoryThrottle
from gen_video.throttles.redis import RedisThrottle
from gen_video.throttles.throttle import Throttle
from tests.services import POSTGRESQL
from tests.throttles.makes import Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(f"sqlite:///{tmp_path}/rates.sqlite3")
    yield node
    node.close()


def build(node: Node, url: str, *, web_processes: int = 1, database_url: str = "") -> Throttle:
    database = Database(database_url) if database_url else node.database
    assert database is not None
    return build_throttle(url, web_processes=web_processes, database=database, offload=node.offload)


def shared_make(throttle: Throttle) -> type[Throttle]:
    assert isinstance(throttle, GuardedThrottle)
    return type(throttle._shared)


def test_one_web_process_on_sqlite_counts_in_memory(node: Node) -> None:
    assert isinstance(build(node, ""), MemoryThrottle)
    assert isinstance(build(node, "memory", web_processes=4), MemoryThrottle)


def test_several_web_processes_count_in_the_database(node: Node) -> None:
    assert shared_make(build(node, "", web_processes=2)) is DatabaseThrottle
    assert shared_make(build(node, "database")) is DatabaseThrottle


def test_a_database_that_other_machines_can_share_counts_for_all(node: Node) -> None:
    assert shared_make(build(node, "", database_url=POSTGRESQL.url)) is DatabaseThrottle


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "rediss://user:word@redis.example/0"])
def test_an_address_of_redis_counts_there_and_opens_nothing_yet(node: Node, url: str) -> None:
    assert shared_make(build(node, url)) is RedisThrottle


@pytest.mark.parametrize("url", ["redis", "http://x", "memcached://x", "redis://x:word/0"])
def test_anything_else_is_refused_without_repeating_it(node: Node, url: str) -> None:
    with pytest.raises(UnknownThrottleError, match="GEN_VIDEO_RATE_LIMIT_URL"):
        build(node, url)
