"""The calls about jobs, quota, models; and lists that go on from page to page."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict, TypeVar

from gen_video.client.connection import Call, Connection
from gen_video.client.errors import ConfigurationError, UnexpectedAnswerError
from gen_video.client.exchange import Emit, Steps, make_call
from gen_video.client.reading import read_record
from gen_video.client.records import Job, Loras, Model, Quota, Record

R = TypeVar("R", bound=Record)
PAGE = 50
_SEPARATORS = frozenset("/?#%\\ ")


class JobFilters(TypedDict, total=False):
    """Which jobs to list.

    Attributes:
        status: queued, running, succeeded, failed, canceled or expired.
        kind: image or video.
        model: An id of `models()`.
        created_after: With a time zone.
        created_before: With a time zone.
    """

    status: str
    kind: str
    model: str
    created_after: datetime
    created_before: datetime


def record_call(
    kind: type[R],
    method: str,
    path: str,
    *,
    json: Mapping[str, Any] | None = None,
    is_repeatable: bool = True,
) -> Call[R]:
    """Return a call that answers with one record."""
    return Call(
        method=method,
        path=path,
        json=json,
        is_repeatable=is_repeatable,
        read=lambda answer: read_record(kind, answer),
    )


def get_job(job_id: str) -> Call[Job]:
    """Read a job."""
    return record_call(Job, "GET", f"/jobs/{segment(job_id)}")


def cancel_job(job_id: str) -> Call[Job]:
    """Cancel a job; repeating changes nothing."""
    return record_call(Job, "POST", f"/jobs/{segment(job_id)}/cancel")


def delete_job(job_id: str) -> Call[Job]:
    """Erase a job's files."""
    return record_call(Job, "DELETE", f"/jobs/{segment(job_id)}")


def get_quota() -> Call[Quota]:
    """Read today's quota."""
    return record_call(Quota, "GET", "/quota")


def list_models() -> Call[tuple[Model, ...]]:
    """Read the models on offer."""
    return Call(method="GET", path="/models", read=lambda answer: read_list(Model, answer))


def get_loras() -> Call[Loras]:
    """Read the adapters on offer."""
    return record_call(Loras, "GET", "/loras")


def read_list(kind: type[R], answer: object) -> tuple[R, ...]:
    """Return the records of one page."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    if not isinstance(data, list):
        raise UnexpectedAnswerError(f"a list of {kind.__name__} was expected")
    return tuple(read_record(kind, item) for item in data)


def list_pages(
    connection: Connection,
    kind: type[R],
    path: str,
    *,
    filters: Mapping[str, Any],
    limit: int | None,
) -> Steps[R]:
    """Hand out the records of a list, page after page, at most `limit` of them."""
    params = {name: _param(value) for name, value in filters.items() if value is not None}
    left = limit
    while left is None or left > 0:
        params["limit"] = str(PAGE if left is None else min(PAGE, left))
        page = yield from make_call(
            connection, Call(method="GET", path=path, params=params, read=_read_mapping)
        )
        records = read_list(kind, page)
        for record in records:
            yield Emit(record)
        if not records or not page.get("has_more") or not page.get("last_id"):
            return
        params["after"] = str(page["last_id"])
        left = None if left is None else left - len(records)


def segment(name: str) -> str:
    """Return a name that is safe as one part of a path.

    Raises:
        ConfigurationError: No id looks like this.
    """
    if not name or name in {".", ".."} or not name.isascii() or _SEPARATORS & set(name):
        raise ConfigurationError(f"{name!r} is no id")
    return name


def id_of(job: Job | str) -> str:
    """Return the id of a job, or the id itself."""
    return job.id if isinstance(job, Job) else job


def _read_mapping(answer: object) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise UnexpectedAnswerError("a JSON object was expected")
    return answer


def _param(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(str(item) for item in value)
    return str(value)
