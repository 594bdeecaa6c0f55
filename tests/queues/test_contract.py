"""The contract of sending and hearing wake-ups, over each make."""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from gen_video.queues.celery_listener import CeleryListener
from gen_video.queues.celery_sender import CelerySender
from gen_video.queues.memory import MemoryBroker, MemoryListener, MemoryWakeUps
from gen_video.queues.slots import Slots
from gen_video.queues.wakeups import BrokerUnavailableError, OnWake, WakeUpListener, WakeUps
from tests.queues.brokers import QUIET_SECONDS, Broker, Heard, new_job, shared_redis_url, wait_until
from tests.queues.conftest import REAL
from tests.services import RABBITMQ

QUEUE = "gen_video.default.image.free"


@dataclass(frozen=True)
class Make:
    """One make of wake-ups with a queue of this test's own."""

    wake_ups: WakeUps
    queue: str
    url: str
    memory: MemoryBroker
    stack: ExitStack

    def listen(self, on_wake: OnWake, *, slots: int = 1) -> WakeUpListener:
        listener: WakeUpListener
        if self.url:
            listener = CeleryListener(self.url, [self.queue], on_wake, slots=Slots(slots))
        else:
            listener = MemoryListener(self.memory, [self.queue], on_wake, slots=slots)
        listener.start()
        self.stack.callback(listener.stop, 10)
        wait_until(lambda: listener.is_connected)
        return listener


@pytest.fixture(params=["memory", *REAL])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    memory = MemoryBroker()
    with ExitStack() as stack:
        if request.param == "memory":
            yield Make(MemoryWakeUps(memory), QUEUE, "", memory, stack)
            return
        url = shared_redis_url() if request.param == "redis" else RABBITMQ.url
        queue = stack.enter_context(Broker(url).fresh_queue())
        sender = CelerySender(url)
        stack.callback(sender.close)
        yield Make(sender, queue, url, memory, stack)


def test_a_wake_up_is_heard_once_with_its_queue_and_job(make: Make) -> None:
    heard, job_id = Heard(), new_job()
    make.listen(heard)

    make.wake_ups.send(make.queue, job_id)

    assert heard.has(1)
    assert not heard.has(2, within_seconds=QUIET_SECONDS)
    assert heard.calls == [(make.queue, job_id)]


def test_what_was_sent_before_anybody_listened_is_heard(make: Make) -> None:
    heard, job_id = Heard(), new_job()
    make.wake_ups.send(make.queue, job_id)

    make.listen(heard)

    assert heard.has(1)
    assert heard.job_ids == [job_id]


def test_many_threads_send_at_once_and_nothing_is_lost(make: Make) -> None:
    heard, job_ids = Heard(), [new_job() for _ in range(60)]
    make.listen(heard, slots=3)

    def send(part: list[str]) -> None:
        for job_id in part:
            make.wake_ups.send(make.queue, job_id)

    threads = [threading.Thread(target=send, args=(job_ids[at::6],)) for at in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert heard.has(60, within_seconds=30)
    assert sorted(heard.job_ids) == sorted(job_ids)


def test_doubled_and_reordered_wake_ups_are_calls_like_any_other(make: Make) -> None:
    heard, job_ids = Heard(), [new_job() for _ in range(5)] * 3
    random.Random(7).shuffle(job_ids)  # noqa: S311 - any order will do
    make.listen(heard)

    for job_id in job_ids:
        make.wake_ups.send(make.queue, job_id)

    assert heard.has(15)
    assert sorted(heard.job_ids) == sorted(job_ids)


def test_while_one_listener_is_busy_the_other_hears_everything(make: Make) -> None:
    busy, idle = Heard(), Heard()
    busy.hold()
    make.listen(busy)
    make.wake_ups.send(make.queue, new_job())
    assert busy.has(1)
    make.listen(idle)

    for _ in range(20):
        make.wake_ups.send(make.queue, new_job())

    assert idle.has(20)
    assert len(busy.calls) == 1
    busy.release()


def test_a_listener_has_as_many_calls_at_once_as_it_has_slots(make: Make) -> None:
    heard = Heard()
    heard.hold()
    make.listen(heard, slots=3)

    for _ in range(6):
        make.wake_ups.send(make.queue, new_job())

    assert heard.has(3)
    assert not heard.has(4, within_seconds=QUIET_SECONDS)
    heard.release()
    assert heard.has(6)


def test_a_call_that_fails_gives_its_slot_back(make: Make) -> None:
    heard = Heard()

    def fail(queue: str, job_id: str) -> None:
        heard(queue, job_id)
        if len(heard.calls) < 3 and make.url:
            raise RuntimeError("no database")

    make.listen(fail)

    for _ in range(3):
        make.wake_ups.send(make.queue, new_job())

    assert heard.has(3)


def test_stopping_waits_for_the_running_call_and_hears_nothing_more(make: Make) -> None:
    heard = Heard()
    heard.hold()
    listener = make.listen(heard)
    make.wake_ups.send(make.queue, new_job())
    assert heard.has(1)

    has_ended_while_held = listener.stop(0.5)
    heard.release()
    has_ended = listener.stop(10)
    make.wake_ups.send(make.queue, new_job())

    assert (has_ended_while_held, has_ended, listener.is_connected) == (False, True, False)
    assert not heard.has(2, within_seconds=QUIET_SECONDS)


def test_the_memory_broker_can_be_down() -> None:
    wake_ups = MemoryWakeUps()
    wake_ups.broker.is_down = True

    with pytest.raises(BrokerUnavailableError):
        wake_ups.send(QUEUE, new_job())

    assert wake_ups.sent == []
