"""What an enemy, or bad luck, does to a broker: empty it, and put anything at all into it."""

import pickle
import random
import subprocess
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import redis
from kombu import Connection, Producer
from typing_extensions import override

from tests.cluster.servers import RabbitServer, RedisServer, find_rabbitmq, tools_environment

PREFIX = "gen_video"
TASK = f"{PREFIX}.wake"
TOOL_SECONDS = 60
JUNK = (b"", b"\x00\xff\xfe", b"{", b"[]", b'"text"', b"[[1], {}, {}]", b"x" * 100_000)

Broker = RedisServer | RabbitServer


def list_queues(broker: Broker) -> list[str]:
    """Return the queues that there are right now; on Redis an empty one is not there."""
    if isinstance(broker, RedisServer):
        with suppress(redis.RedisError), broker.connect() as client:
            keys = [key for key in client.keys("*") if client.type(key) == b"list"]
            return sorted(key.decode().removeprefix(f"{PREFIX}:") for key in keys)
        return []
    done = subprocess.run(
        [find_rabbitmq().with_name("rabbitmqctl"), "--silent", "list_queues", "name"],
        env=tools_environment(broker),
        capture_output=True,
        text=True,
        timeout=TOOL_SECONDS,
        check=False,
    )
    return sorted(name for name in done.stdout.split() if name.startswith(f"{PREFIX}."))


def empty(broker: Broker, queues: Sequence[str]) -> None:
    """Throw every message away, and on Redis everything else, too."""
    if isinstance(broker, RedisServer):
        with broker.connect() as client:
            client.flushall()
        return
    with broker.connect() as connection:
        for queue in queues:
            with suppress(*connection.channel_errors):
                connection.channel().queue_purge(queue)


class Marker:
    """Leaves a file behind when somebody unpickles it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @override
    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self._path), "w")


class Forger:
    """Writes messages that no one of ours would write.

    Args:
        job_ids: Of real jobs, finished ones and other accounts' among them.
        marker: A file that appears when a pickled message was read as one.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        queues: Sequence[str],
        job_ids: Sequence[str],
        marker: Path,
        dice: random.Random,
    ) -> None:
        self._broker = broker
        self._queues = list(queues)
        self._job_ids = list(job_ids)
        self._pickled = pickle.dumps(Marker(marker))
        self._dice = dice

    def send(self, count: int) -> None:
        """Send so many messages, of all kinds."""
        options = {"global_keyprefix": f"{PREFIX}:"} if self._is_redis else {}
        with Connection(self._broker.url, transport_options=options) as connection:
            producer = Producer(connection.channel(), auto_declare=False)
            for _ in range(count):
                self._send_one(producer)

    @property
    def _is_redis(self) -> bool:
        return isinstance(self._broker, RedisServer)

    def _send_one(self, producer: Producer) -> None:
        queue = self._dice.choice(self._queues)
        kind = self._dice.choice(("real", "double", "unknown", "pickle", "junk", "odd", "raw"))
        match kind:
            case "real" | "double":
                message = self._wake(self._dice.choice(self._job_ids))
                for _ in range(2 if kind == "double" else 1):
                    self._publish(producer, queue, message)
            case "unknown":
                self._publish(producer, queue, self._wake(f"job_{uuid.uuid4().hex[:22]}"))
            case "odd":
                self._publish(producer, queue, self._odd())
            case "pickle":
                self._publish(
                    producer, queue, self._pickled, content="application/x-python-serialize"
                )
            case "raw" if isinstance(self._broker, RedisServer):
                with self._broker.connect() as client:
                    client.lpush(f"{PREFIX}:{queue}", self._dice.choice((*JUNK, self._pickled)))
            case _:
                self._publish(producer, queue, self._dice.choice(JUNK))

    def _publish(
        self, producer: Producer, queue: str, body: object, *, content: str = "application/json"
    ) -> None:
        number = str(uuid.uuid4())
        is_raw = isinstance(body, bytes)
        producer.publish(
            body,
            routing_key=queue,
            exchange="",
            headers={"task": TASK, "id": number, "lang": "py", "root_id": number},
            correlation_id=number,
            content_type=content if is_raw else None,
            content_encoding="binary" if is_raw else None,
            serializer=None if is_raw else "json",
        )

    def _wake(self, job_id: str) -> list[object]:
        embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
        return [[job_id], {}, embedded]

    def _odd(self) -> object:
        """Return well-formed JSON that asks for something else."""
        job_id = self._dice.choice(self._job_ids)
        chain = {"task": TASK, "args": [job_id], "kwargs": {}, "options": {}}
        return self._dice.choice(
            (
                [[job_id], {}, {"chain": [chain]}],
                [[job_id], {"countdown": 3600}, {}],
                [["../../etc/passwd"], {}, {}],
                [[{"job_id": job_id}], {}, {}],
                [[job_id, job_id], {}, {}],
                [[], {}, {}],
                {"job_id": job_id},
                None,
                0,
            )
        )
