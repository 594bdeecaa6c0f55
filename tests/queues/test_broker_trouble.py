"""Brokers that die, freeze, forget and lie: wake-ups come late or not at all, nothing else breaks.

Every broker here is a private one.
"""

import threading
import time
from collections.abc import Iterator

import pytest
import redis

from benchmarks.ports import find_free_port
from gen_video.queues.celery_listener import CeleryListener
from gen_video.queues.celery_sender import CelerySender
from gen_video.queues.wakeups import BrokerUnavailableError
from tests.queues.brokers import Heard, PrivateBroker, new_job, wait_until
from tests.queues.conftest import REAL, Listen

AT_MOST_SECONDS = 2.5
"""What a send may take: two seconds, and something for a busy machine."""

RESUMED_SECONDS = 60.0
"""Mostly a second or two. A queue of RabbitMQ that was young when its node was killed comes back
without a leader; it is found dead, deleted and declared again."""


@pytest.fixture
def queue(private_broker: PrivateBroker) -> Iterator[str]:
    with private_broker.fresh_queue() as name:
        yield name


@pytest.fixture
def sender(private_broker: PrivateBroker) -> Iterator[CelerySender]:
    sender = CelerySender(private_broker.url)
    yield sender
    sender.close()


def seconds_of_failure(sender: CelerySender, queue: str) -> float:
    """Send, expect that it fails, and return how long that took."""
    started_at = time.monotonic()
    with pytest.raises(BrokerUnavailableError):
        sender.send(queue, new_job())
    return time.monotonic() - started_at


def send_until_taken(sender: CelerySender, queue: str, job_id: str) -> None:
    """Send again and again, as a relay does, until the broker takes it."""

    def is_taken() -> bool:
        try:
            sender.send(queue, job_id)
        except BrokerUnavailableError:
            return False
        return True

    wait_until(is_taken, seconds=RESUMED_SECONDS)


def test_a_killed_broker_that_returns_is_used_again(
    private_broker: PrivateBroker, queue: str, sender: CelerySender, listen: Listen
) -> None:
    """With a call that is busy all the while: its slot comes back, too."""
    heard, job_id = Heard(), new_job()
    heard.hold()
    listener = listen(private_broker, [queue], heard)
    sender.send(queue, new_job())
    assert heard.has(1)

    private_broker.kill()
    wait_until(lambda: not listener.is_connected)
    seconds = [seconds_of_failure(sender, queue) for _ in range(5)]
    private_broker.start()
    heard.release()
    send_until_taken(sender, queue, job_id)

    assert max(seconds) < AT_MOST_SECONDS
    wait_until(lambda: job_id in heard.job_ids, seconds=RESUMED_SECONDS)
    wait_until(lambda: listener.is_connected)


def test_a_frozen_broker_fails_a_send_in_time_and_is_used_again(
    private_broker: PrivateBroker, queue: str, sender: CelerySender, listen: Listen
) -> None:
    heard = Heard()
    listen(private_broker, [queue], heard)
    sender.send(queue, new_job())
    assert heard.has(1)

    private_broker.freeze()
    try:
        with_connection = seconds_of_failure(sender, queue)
        time.sleep(1.1)  # the sender rests for a second, and then connects anew
        without_connection = seconds_of_failure(sender, queue)
        while_resting = seconds_of_failure(sender, queue)
    finally:
        private_broker.thaw()
    job_id = new_job()
    send_until_taken(sender, queue, job_id)

    assert max(with_connection, without_connection) < AT_MOST_SECONDS
    assert while_resting < 0.1
    wait_until(lambda: job_id in heard.job_ids, seconds=RESUMED_SECONDS)


def test_a_listener_that_starts_without_a_broker_finds_it_later(
    private_broker: PrivateBroker, queue: str, sender: CelerySender
) -> None:
    heard = Heard()
    listener = CeleryListener(private_broker.url, [queue], heard)
    private_broker.kill()
    listener.start()
    time.sleep(2)
    was_connected = listener.is_connected

    private_broker.start()
    wait_until(lambda: listener.is_connected, seconds=RESUMED_SECONDS)
    send_until_taken(sender, queue, new_job())

    assert not was_connected
    assert heard.has(1)
    assert listener.stop(10)


def test_a_consumer_whose_thread_died_is_replaced(
    private_broker: PrivateBroker, queue: str, sender: CelerySender, listen: Listen
) -> None:
    heard = Heard()
    listener = listen(private_broker, [queue], heard, probe_seconds=0.2)
    first = listener._ear
    assert first is not None
    first.consumer.must_end.set()
    wait_until(lambda: not first.thread.is_alive())

    wait_until(lambda: listener._ear is not first and listener.is_connected)
    sender.send(queue, new_job())

    assert heard.has(1)


def test_a_consumer_that_has_gone_deaf_is_replaced(
    private_broker: PrivateBroker, queue: str, sender: CelerySender, listen: Listen
) -> None:
    """As after celery#9054: connected, turning, answering pings, and consuming nothing."""
    heard = Heard()
    listener = listen(private_broker, [queue], heard, probe_seconds=0.2)
    deaf = listener._ear
    assert deaf is not None
    deaf.consumer.task_consumer.consume = lambda: None
    deaf.consumer.is_consuming = True
    wait_until(lambda: deaf.consumer.is_listening)
    cancel_on_its_own_thread(deaf.consumer)

    sender.send(queue, new_job())

    assert heard.has(1, within_seconds=RESUMED_SECONDS)
    assert listener._ear is not deaf


def cancel_on_its_own_thread(consumer: object) -> None:
    """Stop consuming at the broker, without the loop's knowing."""
    is_done = threading.Event()
    turn = consumer._turn  # type: ignore[attr-defined]  # Celery has no types

    def cancel_first() -> None:
        if not is_done.is_set():
            consumer.task_consumer.cancel()  # type: ignore[attr-defined]  # Celery has no types
            is_done.set()
        turn()

    consumer._turn = cancel_first  # type: ignore[attr-defined]  # Celery has no types
    assert is_done.wait(5)


@pytest.mark.parametrize("private_node", REAL[:1], indirect=True)
def test_a_redis_that_was_emptied_is_written_to_and_heard_as_before(
    private_broker: PrivateBroker, queue: str, sender: CelerySender, listen: Listen
) -> None:
    heard = Heard()
    listen(private_broker, [queue], heard)
    sender.send(queue, new_job())
    assert heard.has(1)

    with redis.Redis.from_url(private_broker.url) as client:
        client.flushall()
    job_id = new_job()
    sender.send(queue, job_id)

    assert heard.has(2, within_seconds=5)
    assert heard.job_ids[-1] == job_id


def test_a_queue_that_was_deleted_is_declared_again_by_the_next_send(
    private_broker: PrivateBroker, queue: str, sender: CelerySender, listen: Listen
) -> None:
    sender.send(queue, new_job())
    private_broker.delete_queue(queue)
    job_id, heard = new_job(), Heard()

    sender.send(queue, job_id)
    listen(private_broker, [queue], heard)

    assert heard.has(1)
    assert heard.job_ids == [job_id]


def test_a_queue_that_is_deleted_under_a_listener_is_heard_again(
    private_broker: PrivateBroker, queue: str, sender: CelerySender, listen: Listen
) -> None:
    """RabbitMQ may lose the first message after it; that nobody hears the next one is noticed."""
    heard = Heard()
    listen(private_broker, [queue], heard)
    private_broker.delete_queue(queue)

    def is_heard() -> bool:
        send_until_taken(sender, queue, new_job())
        return heard.has(1, within_seconds=1)

    wait_until(is_heard, seconds=RESUMED_SECONDS)


@pytest.mark.parametrize("trouble", ["freeze", "kill"])
def test_stopping_ends_in_time_without_a_broker(
    private_broker: PrivateBroker, queue: str, sender: CelerySender, trouble: str
) -> None:
    heard = Heard()
    heard.hold()
    listener = CeleryListener(private_broker.url, [queue], heard)
    listener.start()
    wait_until(lambda: listener.is_connected)
    sender.send(queue, new_job())
    assert heard.has(1)

    (private_broker.kill if trouble == "kill" else private_broker.freeze)()
    started_at = time.monotonic()
    has_ended = listener.stop(1.0)
    seconds = time.monotonic() - started_at
    heard.release()
    has_ended_later = listener.stop(5.0)
    private_broker.thaw()

    assert not has_ended
    assert seconds < 2.0
    assert has_ended_later


def test_nobody_listening_on_the_port_is_an_error_without_the_password() -> None:
    for scheme in ("redis", "amqp"):
        sender = CelerySender(f"{scheme}://user:s3cret@127.0.0.1:{find_free_port()}//")

        started_at = time.monotonic()
        with pytest.raises(BrokerUnavailableError) as failed:
            sender.send("gen_video.default.image.free", new_job())

        assert time.monotonic() - started_at < AT_MOST_SECONDS
        assert "s3cret" not in str(failed.value)
        assert "s3cret" not in repr(failed.value.__cause__)
