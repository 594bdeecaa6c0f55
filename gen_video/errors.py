"""The root of every error that a user of the service may read.

Each slice defines its own subclasses beside the code that raises them. An error knows its stable
`code`, its HTTP `status`, and a message in both languages; the message says what to do next.

    ServiceError
    ├── InvalidRequestError      422, carries field problems with JSON pointers
    ├── NotFoundError            404, same words for a foreign and a missing id
    └── …Error of the slices
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

Language = Literal["en", "zh"]
Fact = str | int | float | None


class ServiceError(Exception):
    """An expected failure with a stable code and a message for people.

    Args:
        retry_after_seconds: When it makes sense to try again; becomes a `Retry-After` header.
        facts: Values for the placeholders of `message_en` and `message_zh`; kept as attributes.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    is_retryable: ClassVar[bool] = False
    message_en: ClassVar[str] = "Something went wrong on our side. Please try again."
    message_zh: ClassVar[str] = "服务内部出错，请稍后重试。"

    def __init__(self, *, retry_after_seconds: int | None = None, **facts: Fact) -> None:
        self.retry_after_seconds = retry_after_seconds
        self.facts = facts
        super().__init__(self.message("en"))

    def message(self, language: Language) -> str:
        """Return the sentence for people in the given language."""
        template = self.message_zh if language == "zh" else self.message_en
        return template.format(**self.facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One thing wrong with one field of a request.

    `pointer` is a JSON pointer into the request body, such as `/width`.
    """

    pointer: str
    code: str
    en: str
    zh: str

    def message(self, language: Language) -> str:
        """Return the sentence for people in the given language."""
        return self.zh if language == "zh" else self.en


class InvalidRequestError(ServiceError):
    """The request cannot be served as written; nothing was kept."""

    code = "invalid_request"
    status = 422
    message_en = "The request is invalid: {summary_en}"
    message_zh = "请求无效：{summary_zh}"

    def __init__(self, *problems: FieldProblem) -> None:
        self.problems = problems
        super().__init__(
            summary_en="; ".join(problem.en for problem in problems),
            summary_zh="；".join(problem.zh for problem in problems),
        )


class NotFoundError(ServiceError):
    """No such thing, or it belongs to somebody else: both answer alike."""

    code = "not_found"
    status = 404
    message_en = "Not found. Check the id; it may also have been deleted."
    message_zh = "未找到。请检查 id；它也可能已被删除。"


class ServiceUnavailableError(ServiceError):
    """A part of the service that this request needs is not working right now."""

    code = "service_unavailable"
    status = 503
    is_retryable = True
    message_en = "The service is temporarily unavailable ({reason}). Please retry shortly."
    message_zh = "服务暂时不可用（{reason}），请稍后重试。"

    def __init__(self, reason: str, *, retry_after_seconds: int = 5) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds, reason=reason)
