"""What can go wrong, as one tree. Every message says what to do next.

ClientError
├── ConfigurationError          no key, or an address that is none
├── UnreachableError            no answer: refused, cut off, no such host
│   └── RequestTimeoutError     no answer in time
├── UnexpectedAnswerError       an answer that is not of this service
├── WaitTimeoutError            the job goes on, the waiting has ended
├── JobFailedError              the job has no result; `job` says why
│   ├── JobCanceledError
│   └── JobExpiredError
├── DownloadError               the file is not what the service said
├── WebhookVerificationError    a message that the service has not signed
└── ApiError                    the service refused: status, code, detail, request_id, errors
    ├── ValidationError         400, 413, 415, 422
    ├── AuthenticationError     401
    ├── InsufficientBalanceError 402
    ├── PermissionDeniedError   403
    ├── NotFoundError           404, 410
    ├── ConflictError           409
    ├── RateLimitedError        429, wait `retry_after_seconds`
    ├── QuotaExceededError      429 with the day's quota used up
    └── ServerError             5xx
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gen_video.client.records import Job


class ClientError(Exception):
    """Anything that this client raises."""


class ConfigurationError(ClientError):
    """The client cannot be made of what it was given."""


class UnreachableError(ClientError):
    """The service did not answer, as often as it was asked."""


class RequestTimeoutError(UnreachableError):
    """The service did not answer in time."""


class UnexpectedAnswerError(ClientError):
    """Something else than this service answers at the address."""


class WaitTimeoutError(ClientError):
    """The job was not finished in time; it goes on, and waiting for it again is fine."""

    def __init__(self, job_id: str, seconds: float) -> None:
        self.job_id = job_id
        self.seconds = seconds
        super().__init__(f"{job_id} is not finished after {seconds:g} s; wait for it again later")


class JobFailedError(ClientError):
    """A job ended without a result; nothing was charged for it."""

    def __init__(self, job: "Job") -> None:
        self.job = job
        self.code = job.error.code if job.error else job.status
        reason = job.error.message if job.error else f"the job is {job.status}"
        super().__init__(f"{job.id}: {reason}")


class JobCanceledError(JobFailedError):
    """The job was canceled."""


class JobExpiredError(JobFailedError):
    """The job did not start before its deadline."""


class DownloadError(ClientError):
    """A file has another size or checksum than the service said, or cannot be written."""


class WebhookVerificationError(ClientError):
    """A webhook's signature, time or headers are wrong: do not act on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing wrong with one field; `pointer` is a JSON pointer such as `/width`."""

    pointer: str
    code: str
    detail: str


class ApiError(ClientError):
    """The service refused a request.

    Attributes:
        status: The HTTP status.
        code: Stable, for programs: `quota_exceeded`, `invalid_request`, …
        detail: For people, in the language that the client asked for.
        request_id: What an operator needs to find the request.
        errors: What is wrong with which field.
        retry_after_seconds: When it makes sense to try again, None when nothing was said.
        body: The whole answer.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        request_id: str,
        errors: tuple[FieldError, ...] = (),
        retry_after_seconds: float | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds
        self.body = dict(body or {})
        tail = f" (request id {request_id})" if request_id else ""
        super().__init__(f"{status} {code}: {detail}{tail}")

    @property
    def job_id(self) -> str | None:
        """Return the job that the refusal is about, None without one."""
        found = self.body.get("task_id")
        return found if isinstance(found, str) else None


class ValidationError(ApiError):
    """The request cannot be served as written; `errors` names the fields."""


class AuthenticationError(ApiError):
    """The API key is missing, wrong, expired or revoked."""


class InsufficientBalanceError(ApiError):
    """The account cannot pay for the job."""


class PermissionDeniedError(ApiError):
    """The key may not do this."""


class NotFoundError(ApiError):
    """There is no such thing, or it is somebody else's."""


class ConflictError(ApiError):
    """The thing is in another state than the request needs."""


class RateLimitedError(ApiError):
    """Too many requests; waiting `retry_after_seconds` helps."""


class QuotaExceededError(ApiError):
    """The day's quota is used up; repeating does not help before it is reset."""


class ServerError(ApiError):
    """Something went wrong on the side of the service."""
