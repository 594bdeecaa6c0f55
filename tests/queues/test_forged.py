"""Forged messages: whoever writes to the broker may wake workers needlessly, and nothing else."""

import json
import os
import pickle
from pathlib import Path

import pytest
from typing_extensions import override

from gen_video.queues.celery_app import WAKE_TASK
from gen_video.queues.celery_sender import CelerySender
from tests.queues.brokers import (
    Broker,
    Heard,
    new_job,
    push_raw,
    shared_redis_url,
    wake_body,
)
from tests.queues.conftest import Listen

FORGED = 1000
ALIVE_SECONDS = 60.0
MIME = {"pickle": "application/x-python-serialize", "yaml": "application/x-yaml"}


class Canary:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @override
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def forge(number: int, canary: Path) -> tuple[bytes | str, str, dict[str, object]]:
    """Return body, content type and headers of one of ten kinds of forged messages."""
    wake: dict[str, object] = {"task": WAKE_TASK, "id": "x"}
    other: dict[str, object] = {"task": "celery.map", "id": "x"}
    poison = pickle.dumps(Canary(canary))
    yaml = f"!!python/object/apply:os.system ['touch {canary}']"
    callbacks = {"callbacks": [{"task": WAKE_TASK, "args": []}], "chord": {"id": "x"}}
    kinds: list[tuple[bytes | str, str, dict[str, object]]] = [
        (poison, MIME["pickle"], wake),
        (poison, "application/json", wake),
        (yaml, MIME["yaml"], wake),
        (os.urandom(64), "application/octet-stream", {}),
        ("[" * 5000, "application/json", wake),
        (wake_body(new_job()), "application/json", other),
        (json.dumps([[new_job()], {}, callbacks]), "application/json", wake),
        (json.dumps([["rm -rf /"], {"x": 1}, {}]), "application/json", wake),
        (json.dumps({"task": "celery.accumulate", "id": "x", "args": []}), "application/json", {}),
        (wake_body(new_job()), "application/json", wake | {"compression": "application/x-gzip"}),
    ]
    return kinds[number % len(kinds)]


def test_a_thousand_forged_messages_do_nothing_and_the_listener_goes_on(
    broker: Broker, queue: str, sender: CelerySender, listen: Listen, tmp_path: Path
) -> None:
    heard, canary = Heard(), tmp_path / "canary"
    listener = listen(broker, [queue], heard)
    first = listener._ear

    with broker.connect() as connection:
        producer = connection.Producer()
        for number in range(FORGED):
            body, content_type, headers = forge(number, canary)
            producer.publish(
                body,
                exchange="",
                routing_key=queue,
                content_type=content_type,
                content_encoding="binary" if isinstance(body, bytes) else "utf-8",
                headers=headers,
                retry=False,
            )
    job_id = new_job()
    sender.send(queue, job_id)

    assert heard.has(1, within_seconds=ALIVE_SECONDS)
    assert heard.job_ids == [job_id]
    assert not canary.exists()
    assert listener._ear is first


def test_the_canary_would_sing(tmp_path: Path) -> None:
    """The test above proves nothing unless unpickling makes the file."""
    pickle.loads(pickle.dumps(Canary(tmp_path / "canary")))  # noqa: S301 - that is the point

    assert (tmp_path / "canary").exists()


@pytest.mark.redis
@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"junk",
        b"\xff\xfe",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'"' + b"x" * 2**20 + b'"',
        b'{"body": "eA=="}',
        b'{"body": "eA==", "properties": null}',
        b'{"body": "eA==", "properties": {}}',
        b'{"body": "eA==", "properties": {"delivery_tag": "t"}}',
        b'{"body": "eA==", "properties": {"delivery_tag": ["t"], "delivery_info": {}}}',
        (
            b'{"body": "%%%", "properties": {"delivery_tag": "t", "body_encoding": "base64",'
            b' "delivery_info": {"exchange": "", "routing_key": "q"}}}'
        ),
        (
            b'{"body": 7, "headers": 7, "content-type": 7, "properties": {"delivery_tag": ["t"],'
            b' "delivery_info": {"exchange": "", "routing_key": "q"}}}'
        ),
        (
            b'{"body": "eA==", "headers": {"compression": "zlib"}, "content-type": "text/plain",'
            b' "properties": {"delivery_tag": "t", "delivery_info": {"exchange": "",'
            b' "routing_key": "q"}}}'
        ),
    ],
)
def test_entries_of_a_list_of_redis_that_are_no_messages_are_dropped(
    listen: Listen, entry: bytes
) -> None:
    broker, heard, job_id = Broker(shared_redis_url()), Heard(), new_job()
    with broker.fresh_queue() as queue:
        listener = listen(broker, [queue], heard)
        first = listener._ear
        sender = CelerySender(broker.url)

        for _ in range(20):
            push_raw(broker.url, queue, entry)
        sender.send(queue, job_id)

        assert heard.has(1)
        assert heard.job_ids == [job_id]
        assert listener._ear is first
        assert listener.is_connected
        sender.close()
