"""Brokers of the tests of queues: in memory, shared real ones, and private ones to maltreat."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from gen_video.queues.celery_listener import CeleryListener
from gen_video.queues.celery_sender import CelerySender
from gen_video.queues.slots import Slots
from gen_video.queues.wakeups import OnWake
from tests.queues.brokers import (
    Broker,
    PrivateBroker,
    private_rabbitmq,
    private_redis,
    shared_redis_url,
    wait_until,
)
from tests.services import RABBITMQ

REAL = [
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
]
Listen = Callable[..., CeleryListener]


@pytest.fixture(params=REAL)
def broker(request: pytest.FixtureRequest) -> Broker:
    """Return a shared real broker, once Redis and once RabbitMQ."""
    return Broker(shared_redis_url() if request.param == "redis" else RABBITMQ.url)


@pytest.fixture
def rabbitmq() -> Broker:
    """Return the shared RabbitMQ."""
    return Broker(RABBITMQ.url)


@pytest.fixture(scope="module", params=REAL)
def private_node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrivateBroker]:
    """Return a broker that only the tests of one file use, once Redis and once RabbitMQ."""
    run = private_redis if request.param == "redis" else private_rabbitmq
    folder: Path = tmp_path_factory.mktemp(request.param)
    with run(folder) as private:
        yield private


@pytest.fixture
def private_broker(private_node: PrivateBroker) -> PrivateBroker:
    """Return that broker, running."""
    if not private_node.is_running():
        private_node.start()
    return private_node


@pytest.fixture
def queue(broker: Broker) -> Iterator[str]:
    """Return the name of a queue of this test's own."""
    with broker.fresh_queue() as name:
        yield name


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Return what starts a listener and waits for it; all are stopped afterwards."""
    with ExitStack() as stack:

        def start(
            broker: Broker,
            queues: Sequence[str],
            on_wake: OnWake,
            *,
            slots: int = 1,
            probe_seconds: float = 1.0,
        ) -> CeleryListener:
            listener = CeleryListener(
                broker.url, queues, on_wake, slots=Slots(slots), probe_seconds=probe_seconds
            )
            listener.start()
            stack.callback(listener.stop, 10)
            wait_until(lambda: listener.is_connected)
            return listener

        yield start


@pytest.fixture
def sender(broker: Broker) -> Iterator[CelerySender]:
    """Return a sender to the shared broker."""
    sender = CelerySender(broker.url)
    yield sender
    sender.close()
