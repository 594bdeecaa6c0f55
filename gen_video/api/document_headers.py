"""The headers of the OpenAPI document: what operations take, and what their answers carry.

Routes read these headers themselves, so the framework cannot know of them.
"""

from collections.abc import Mapping
from typing import Any

HEADERS = "#/components/headers/"
PARAMETERS = "#/components/parameters/"
NOT_CHANGED = "304"
FIRST_ERROR = 400
"""Statuses from here on are errors."""

IDEMPOTENCY_KEY = "Idempotency-Key"
PREFER = "Prefer"
CANCEL_AFTER = "Cancel-After"
LAST_EVENT_ID = "Last-Event-ID"
IF_NONE_MATCH = "If-None-Match"
RANGE = "Range"

_TEXT = {"type": "string"}
_WHOLE = {"type": "integer", "minimum": 0}

TAKEN: dict[str, tuple[str, dict[str, Any], str]] = {
    IDEMPOTENCY_KEY: (
        (
            "Makes repeating safe: the same key and request find the same job, whatever became of "
            "the first answer / 使重试安全：相同的键与请求得到同一任务"
        ),
        _TEXT | {"minLength": 1, "maxLength": 255, "pattern": r"^[!-~]([ -~]*[!-~])?$"},
        "order-1234",
    ),
    PREFER: (
        (
            "`respond-async` answers at once with 202, `wait=N` waits at most N seconds (RFC 7240)"
            " / `respond-async` 立即返回 202，`wait=N` 最多等待 N 秒"
        ),
        _TEXT,
        "respond-async",
    ),
    CANCEL_AFTER: (
        "A deadline, 1s to 24h; a job that misses it costs nothing / 期限，1s 至 24h，逾期不扣费",
        _TEXT | {"pattern": r"^[0-9]{1,6}[smh]?$"},
        "90s",
    ),
    LAST_EVENT_ID: (
        (
            "The id of the last event that arrived: only newer ones follow / "
            "最后收到的事件 id，只返回更新的事件"
        ),
        _TEXT,
        "10000001",
    ),
    IF_NONE_MATCH: (
        "An `ETag` that the client has: 304 if it is good / 已有版本的 `ETag`，未变化时返回 304",
        _TEXT,
        'W/"5d41402abc4b2a76b9719d911017c592"',
    ),
    RANGE: (
        "A part of the file, such as `bytes=0-1023` (RFC 9110) / 文件的一部分",
        _TEXT,
        "bytes=0-1023",
    ),
}
"""By name: what it means, its schema, an example."""

GIVEN: dict[str, tuple[str, dict[str, Any]]] = {
    "Accept-Ranges": ("Parts can be asked for / 支持范围请求", _TEXT),
    "Cache-Control": ("How long it may be kept / 缓存时间", _TEXT),
    "Content-Range": ("Which part this is / 所返回的范围", _TEXT),
    "Deprecation": ("Since when (RFC 9745) / 自何时起不推荐使用", _TEXT),
    "ETag": ("The version of what is sent / 内容版本", _TEXT),
    "Idempotency-Replayed": (
        "`true`: an earlier request was found by its key / `true`：由键找到了先前的请求",
        _TEXT | {"enum": ["true"]},
    ),
    "Link": ("What to use instead (RFC 8288) / 替代接口", _TEXT),
    "Location": (
        "The job's address / 任务地址",
        _TEXT | {"format": "uri-reference"},
    ),
    "Preference-Applied": ("Which wish was followed (RFC 7240) / 已采用的偏好", _TEXT),
    "RateLimit": (
        (
            "What is left, and the seconds until it is whole again "
            "(draft-ietf-httpapi-ratelimit-headers) / 剩余次数与恢复秒数"
        ),
        _TEXT,
    ),
    "RateLimit-Policy": ("The limits that apply / 适用的限制", _TEXT),
    "Retry-After": ("Seconds to wait / 应等待的秒数", _WHOLE),
    "WWW-Authenticate": ("How to say who calls / 认证方式", _TEXT),
    "X-Request-Id": ("Quote it in reports / 反馈问题时请附上", _TEXT),
    "X-Should-Retry": (
        "`false`: the same request would fail again / `false`：重试无效",
        _TEXT | {"enum": ["true", "false"]},
    ),
}
"""By name: what it means, and its schema."""

FOLLOWING: Mapping[str, tuple[str, ...]] = {
    IDEMPOTENCY_KEY: ("Idempotency-Replayed",),
    PREFER: ("Location", "Preference-Applied"),
    IF_NONE_MATCH: ("ETag", "Cache-Control"),
    RANGE: ("Accept-Ranges",),
}
"""The headers of an answer that belong to one of the request."""

OF_SUBMISSIONS = (IDEMPOTENCY_KEY, PREFER, CANCEL_AFTER)
OF_REPEATED = (IDEMPOTENCY_KEY, CANCEL_AFTER)
READ_BY: Mapping[str, tuple[str, ...]] = {
    "generate_image": OF_SUBMISSIONS,
    "generate_video": OF_SUBMISSIONS,
    "follow_job": (LAST_EVENT_ID,),
    "get_file": (IF_NONE_MATCH, RANGE),
    "list_models": (IF_NONE_MATCH,),
    "openai_generate_images": OF_REPEATED,
    "openai_edit_images": OF_REPEATED,
    "openai_vary_image": OF_REPEATED,
    "openai_create_video": OF_REPEATED,
    "openai_remix_video": OF_REPEATED,
}
"""The headers that operations read, by their ids."""


def header_schemas() -> dict[str, Any]:
    """Return the headers of answers, by name."""
    return {
        name: {"description": words, "schema": schema} for name, (words, schema) in GIVEN.items()
    }


def parameter_schemas() -> dict[str, Any]:
    """Return the headers of requests, by name."""
    return {
        name: {
            "name": name,
            "in": "header",
            "required": False,
            "description": words,
            "schema": schema,
            "example": example,
        }
        for name, (words, schema, example) in TAKEN.items()
    }


def header_references(*names: str) -> dict[str, Any]:
    """Return the headers of one answer."""
    return {name: {"$ref": f"{HEADERS}{name}"} for name in names}


def add_headers(operation: dict[str, Any]) -> None:
    """Add to an operation the headers that it reads, and the ones that its answers carry."""
    taken = READ_BY.get(operation["operationId"], ())
    if taken:
        parameters = operation.setdefault("parameters", [])
        parameters += [{"$ref": f"{PARAMETERS}{name}"} for name in taken]
    if IF_NONE_MATCH in taken:
        operation["responses"][NOT_CHANGED] = {"description": "Not changed / 未修改"}
    names = ["X-Request-Id", *(name for header in taken for name in FOLLOWING.get(header, ()))]
    if operation.get("security"):
        names += ["RateLimit", "RateLimit-Policy"]
    if operation.get("deprecated"):
        names += ["Deprecation", "Link"]
    for status, answer in operation["responses"].items():
        own = names if int(status) < FIRST_ERROR else names[:1]
        answer["headers"] = header_references(*own) | answer.get("headers", {})
