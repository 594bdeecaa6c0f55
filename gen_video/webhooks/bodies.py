"""Bodies of events: `{type, timestamp, data}`, always shorter than 20 kB. Pure."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from gen_video.webhooks.models import EventType, JobFacts, OutputFacts

MAX_BYTES = 20_000
MAX_MESSAGE_CHARACTERS = 500
FEW_OUTPUTS = 10

Data = dict[str, Any]
"""JSON in the making; it leaves this file as text."""


def job_body(event_type: EventType, facts: JobFacts, *, now: datetime) -> str:
    """Return the body that tells how a job ended.

    What is too long loses metadata first, then outputs; `is_truncated` says so, and the job has
    them all.
    """
    data = _job_data(facts)
    body = _write(event_type, data, now=now)
    for shorten in _shortenings():
        if len(body.encode()) < MAX_BYTES:
            break
        shorten(data)
        data["is_truncated"] = True
        body = _write(event_type, data, now=now)
    return body


def trial_body(endpoint_id: str, *, now: datetime) -> str:
    """Return the body of an event that only tries the way."""
    data = {
        "id": endpoint_id,
        "object": "webhook",
        "message": "If you can read this, your webhook works. / 收到此消息即表示 webhook 正常。",
    }
    return _write(EventType.TEST, data, now=now)


def _job_data(facts: JobFacts) -> Data:
    error = facts.error
    return {
        "id": facts.id,
        "object": "job",
        "kind": facts.kind,
        "model": facts.model,
        "status": facts.status,
        "outputs": [_output_data(output) for output in facts.outputs],
        "error": None
        if error is None
        else {
            "code": error.code,
            "message": error.en[:MAX_MESSAGE_CHARACTERS],
            "message_zh": error.zh[:MAX_MESSAGE_CHARACTERS],
        },
        "metadata": dict(facts.metadata),
        "units": facts.units,
        "created_at": _moment(facts.created_at),
        "finished_at": _moment(facts.finished_at),
    }


def _output_data(output: OutputFacts) -> Data:
    data: Data = {
        "url": output.url,
        "mime": output.mime,
        "size_bytes": output.size_bytes,
        "width": output.width,
        "height": output.height,
    }
    if output.duration_seconds is not None:
        data["duration_seconds"] = output.duration_seconds
    return data


def _shortenings() -> Iterator[Callable[[Data], None]]:
    """Yield ever harder cuts; after the last one every body is short enough."""
    yield partial(_cut_metadata, characters=256)
    yield partial(_cut_metadata, characters=64)
    yield partial(_cut_metadata, characters=0)
    yield _cut_outputs


def _cut_metadata(data: Data, *, characters: int) -> None:
    cut = {name: text[:characters] for name, text in data["metadata"].items()}
    data["metadata"] = cut if characters else {}


def _cut_outputs(data: Data) -> None:
    data["outputs"] = data["outputs"][:FEW_OUTPUTS]


def _write(event_type: EventType, data: Data, *, now: datetime) -> str:
    body = {"type": event_type.value, "timestamp": _moment(now), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
