"""What is a wake-up and what is not: a table over everything that a broker can deliver."""

import json
import pickle
from dataclasses import dataclass, field

import pytest

from gen_video.queues.celery_app import WAKE_TASK
from gen_video.queues.celery_messages import NotAWakeUpError, Wake, read_wake
from tests.queues.brokers import new_job, wake_body

QUEUE = "gen_video.default.image.free"
JOB = new_job()


@dataclass
class Message:
    """What Kombu hands over."""

    body: object = field(default_factory=lambda: wake_body(JOB))
    content_type: object = "application/json"
    content_encoding: object = "utf-8"
    headers: object = field(default_factory=lambda: {"task": WAKE_TASK})
    delivery_info: object = field(default_factory=lambda: {"routing_key": QUEUE})


def read(message: Message) -> Wake:
    return read_wake(message, task=WAKE_TASK, queues={QUEUE})


@pytest.mark.parametrize(
    "message",
    [
        Message(),
        Message(body=wake_body(JOB).encode()),
        Message(body=memoryview(wake_body(JOB).encode())),
        Message(body=json.dumps([[JOB], {}, {}])),
        Message(headers={"task": WAKE_TASK, "eta": "2999-01-01", "expires": 1, "chord": "x"}),
    ],
)
def test_a_wake_up_says_its_queue_and_its_job_and_nothing_else(message: Message) -> None:
    assert read(message) == Wake(queue=QUEUE, job_id=JOB)


@pytest.mark.parametrize(
    "message",
    [
        Message(headers=None),
        Message(headers=[]),
        Message(headers={}),
        Message(headers={"task": "celery.map"}),
        Message(headers={"task": ["gen_video.wake"]}),
        Message(headers={"task": WAKE_TASK, "compression": "application/x-gzip"}),
        Message(content_type="application/x-python-serialize", body=pickle.dumps([[JOB], {}, {}])),
        Message(content_type="application/x-yaml"),
        Message(content_type=None),
        Message(content_type=["application/json"]),
        Message(content_encoding="binary"),
        Message(content_encoding=["utf-8"]),
        Message(delivery_info=None),
        Message(delivery_info={}),
        Message(delivery_info={"routing_key": "gen_video.other.image.free"}),
        Message(delivery_info={"routing_key": [QUEUE]}),
        Message(body=None),
        Message(body=7),
        Message(body=""),
        Message(body="{"),
        Message(body=b"\xff\xfe\x00"),
        Message(body="[" * 8000),
        Message(body="1" * 8000),
        Message(body=wake_body(JOB) + " " * 2**20),
        Message(body=json.dumps({"job_id": JOB})),
        Message(body=json.dumps([JOB])),
        Message(body=json.dumps([[JOB], {}])),
        Message(body=json.dumps([[JOB], {}, {}, {}])),
        Message(body=json.dumps([[JOB], {"priority": 9}, {}])),
        Message(body=json.dumps([[JOB], None, {}])),
        Message(body=json.dumps([[JOB], {}, None])),
        Message(body=json.dumps([[JOB], {}, {"callbacks": [{"task": WAKE_TASK}]}])),
        Message(body=json.dumps([[JOB], {}, {"other": 1}])),
        Message(body=json.dumps([{"0": JOB}, {}, {}])),
        Message(body=json.dumps([[], {}, {}])),
        Message(body=json.dumps([[JOB, JOB], {}, {}])),
        Message(body=json.dumps([[None], {}, {}])),
        Message(body=json.dumps([[["job_"]], {}, {}])),
        Message(body=wake_body("job_1")),
        Message(body=wake_body(JOB + "\n")),
        Message(body=wake_body("key_" + JOB.removeprefix("job_"))),
        Message(body=wake_body("job_../../../../etc/passwd")),
    ],
)
def test_anything_else_is_none(message: Message) -> None:
    with pytest.raises(NotAWakeUpError) as dropped:
        read(message)

    assert JOB not in str(dropped.value)
