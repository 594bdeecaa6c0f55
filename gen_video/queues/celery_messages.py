"""Reading a message: a wake-up, or the reason why it is none.

Pure rules over what a transport delivered; nothing of it is trusted. Whoever can write to the
broker can write anything: only one task name, one content type, one argument of one form are read,
and every other header is ignored, so that no message can delay, chain, expire or fan out anything.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from gen_video.ids import is_id

MAX_BODY_BYTES = 8192
ENCODINGS = ("utf-8", "UTF-8", None)  # compared one by one: what comes may not be hashable
ARGUMENTS, NAMED_ARGUMENTS, EMBEDDED = range(3)
PARTS = 3


class Delivered(Protocol):
    """What Kombu hands over. Every field may hold anything that JSON or AMQP can say."""

    body: object
    content_type: object
    content_encoding: object
    headers: object
    delivery_info: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """A wake-up as it was received."""

    queue: str
    job_id: str


class NotAWakeUpError(ValueError):
    """A message that is dropped; says which rule it breaks and nothing of what it holds."""


def read_wake(message: Delivered, *, task: str, queues: Collection[str]) -> Wake:
    """Return what a message says.

    Args:
        message: As delivered.
        task: The only task name that is taken.
        queues: The queues that were listened to.

    Raises:
        NotAWakeUpError: It is something else.
    """
    headers = message.headers if isinstance(message.headers, dict) else {}
    _require(headers.get("task") == task, "another task")
    _require(headers.get("compression") is None, "compressed")
    _require(message.content_type == "application/json", "not JSON")
    _require(message.content_encoding in ENCODINGS, "another encoding")
    return Wake(queue=_read_queue(message.delivery_info, queues), job_id=_read_job(message.body))


def _read_queue(delivery_info: object, queues: Collection[str]) -> str:
    queue = delivery_info.get("routing_key") if isinstance(delivery_info, dict) else None
    if not isinstance(queue, str) or queue not in queues:
        raise NotAWakeUpError("another queue")
    return queue


def _read_job(body: object) -> str:
    if not isinstance(body, (str, bytes, bytearray, memoryview)):
        raise NotAWakeUpError("no body")
    text = body if isinstance(body, str) else bytes(body)
    _require(len(text) <= MAX_BODY_BYTES, "too long")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise NotAWakeUpError("broken JSON") from None
    _require(isinstance(content, list) and len(content) == PARTS, "another form")
    _require(content[NAMED_ARGUMENTS] == {}, "named arguments")
    _require(_is_plain(content[EMBEDDED]), "embedded tasks")
    arguments = content[ARGUMENTS]
    _require(isinstance(arguments, list) and len(arguments) == 1, "other arguments")
    job_id = arguments[0]
    if not isinstance(job_id, str) or not is_id(job_id, "job"):
        raise NotAWakeUpError("no job id")
    return job_id


def _is_plain(embedded: object) -> bool:
    return isinstance(embedded, dict) and not any(embedded.values())


def _require(is_met: bool, rule: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not is_met:
        raise NotAWakeUpError(rule)
