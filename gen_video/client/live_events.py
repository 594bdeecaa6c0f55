"""From the text of a stream to the events of a job."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gen_video.client.happenings import JobEvent, Preview
from gen_video.client.reading import read_record
from gen_video.client.records import END_STATES, Job, Progress
from gen_video.client.server_events import ServerEvent

PREVIEW = "preview"
CONTENT = "b64_json"


def read_event(found: ServerEvent, *, job_id: str) -> JobEvent | None:
    """Return an event of a job; None for one that cannot be read."""
    try:
        data = json.loads(found.data)
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    number = int(found.event_id) if found.event_id.isascii() and found.event_id.isdecimal() else 0
    if found.name in END_STATES:
        job = read_record(Job, data)
        return JobEvent(
            name=found.name,
            number=number,
            job_id=job.id,
            status=job.status,
            progress=job.progress,
            job=job,
            raw=data,
        )
    return JobEvent(
        name=found.name,
        number=number,
        job_id=job_id,
        status=str(data.get("status", "")),
        progress=read_record(Progress, data),
        preview=_read_preview(data.get(PREVIEW)),
        raw=data,
    )


def _read_preview(data: object) -> Preview | None:
    if not isinstance(data, Mapping):
        return None
    return replace(read_record(Preview, data), content=_read_content(data))


def _read_content(data: Mapping[str, Any]) -> bytes:
    text = data.get(CONTENT)
    if not isinstance(text, str):
        return b""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
