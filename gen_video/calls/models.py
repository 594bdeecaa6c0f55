"""What the call log keeps and hands out."""

from dataclasses import dataclass
from datetime import datetime

from gen_video.errors import NotFoundError


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One answered API request; never its query, body or key.

    Attributes:
        path: What was asked for, cut to 200 characters.
        status: The answer's; 499 where the client hung up first.
    """

    at: datetime
    request_id: str
    account_id: str
    key_id: str
    method: str
    path: str
    status: int
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedCall:
    """A call with its place in the log."""

    id: int
    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """One page of an account's calls, newest first."""

    calls: tuple[LoggedCall, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How many calls were answered in a span of time, and how many of them with our own error."""

    calls: int
    server_errors: int

    @property
    def success_rate(self) -> float | None:
        """Return the part that was answered without an error of ours; None without any call."""
        return None if not self.calls else 1 - self.server_errors / self.calls


class CallNotFoundError(NotFoundError):
    """A cursor names no call of this account."""

    code = "call_not_found"
    message_en = "There is no such request in your log; it keeps 7 days. Begin with the first page."
    message_zh = "日志中没有该请求（仅保留 7 天），请从第一页重新开始。"
