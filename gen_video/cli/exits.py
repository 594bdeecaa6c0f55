"""Exit codes: what became of a command, for scripts."""

from enum import IntEnum

from gen_video.client import (
    AuthenticationError,
    ClientError,
    ConfigurationError,
    InsufficientBalanceError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    ServerError,
    UnexpectedAnswerError,
    UnreachableError,
    ValidationError,
)


class Exit(IntEnum):
    """The codes; 130 is what shells say for an interrupted command."""

    FAILED = 1
    USAGE = 2
    AUTHENTICATION = 3
    QUOTA = 4
    NOT_FOUND = 5
    UNREACHABLE = 6
    INTERRUPTED = 130


BY_KIND: tuple[tuple[tuple[type[ClientError], ...], Exit], ...] = (
    ((ConfigurationError, ValidationError), Exit.USAGE),
    ((AuthenticationError, PermissionDeniedError), Exit.AUTHENTICATION),
    ((QuotaExceededError, RateLimitedError, InsufficientBalanceError), Exit.QUOTA),
    ((NotFoundError,), Exit.NOT_FOUND),
    ((UnreachableError, UnexpectedAnswerError, ServerError), Exit.UNREACHABLE),
)


def code_of(error: ClientError) -> Exit:
    """Return the exit code of an error."""
    return next((code for kinds, code in BY_KIND if isinstance(error, kinds)), Exit.FAILED)
