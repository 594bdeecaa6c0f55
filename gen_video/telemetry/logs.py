"""Logs: one JSON object per line on standard error, from our code and from libraries alike.

Keys and secrets are masked wherever they appear, prompts unless the operator asks for them, and
control, bidirectional and other invisible characters are escaped: one event is one line, and
nothing that a user wrote can pass for another event or steer a terminal.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import structlog

from gen_video.telemetry.redaction import TRACEBACK, Event, escape, redact

LIBRARIES = ("alembic", "uvicorn", "uvicorn.access", "uvicorn.error")
QUIET_LIBRARIES = ("PIL", "alembic", "httpcore", "httpx", "uvicorn.access")
"""Heard from WARNING up; requests are logged by our own middleware, without query strings."""


def configure_logging(
    *, level: str, json: bool, process: str, is_logging_prompts: bool = False
) -> None:
    """Set up logging for this process; libraries' loggers are routed through it.

    Call it first in an entry point, and start uvicorn with `log_config=None`: its own set-up
    would replace ours. Warnings and uncaught exceptions become events, too.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        json: JSON lines; otherwise lines for people, in colour on a terminal.
        process: Which kind of process this is; a field of every event.
        is_logging_prompts: Keep the prompts of users in events.
    """

    def add_process(_logger: object, _method: str, event: Event) -> Event:
        event["process"] = process
        return event

    def clean(_logger: object, _method: str, event: Event) -> Event:
        return redact(event, is_logging_prompts=is_logging_prompts)

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_process,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            clean,
            *(_json_renderers() if json else _console_renderers()),
        ],
    )
    _route_everything(level, formatter)


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Add fields to every event of this task or thread while the block runs."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


@contextmanager
def bind_request_id(request_id: str) -> Iterator[None]:
    """Add the request's id to every event of this task or thread while the block runs."""
    with bound(request_id=request_id):
        yield


def current_request_id() -> str | None:
    """Return the id of the request that this task or thread works for, if any."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return request_id if isinstance(request_id, str) else None


def _json_renderers() -> list[structlog.typing.Processor]:
    def escape_line(_logger: object, _method: str, line: str) -> str:
        # JSON has escaped the line ends already; what is left reads the same when parsed again.
        return escape(line)

    renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    return [renderer, escape_line]  # type: ignore[list-item]  # it takes the renderer's text


def _console_renderers() -> list[structlog.typing.Processor]:
    def escape_fields(_logger: object, _method: str, event: Event) -> Event:
        # A traceback of several lines is what a person at a terminal wants to see.
        return {
            escape(name): _escape_traceback(value) if name == TRACEBACK else _escape_texts(value)
            for name, value in event.items()
        }

    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [escape_fields, renderer]


def _escape_texts(value: Any) -> Any:  # noqa: ANN401 - log fields are of any type
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {escape(name): _escape_texts(item) for name, item in value.items()}
    return [_escape_texts(item) for item in value] if isinstance(value, list) else value


def _escape_traceback(text: Any) -> str:  # noqa: ANN401 - log fields are of any type
    return "\n".join(escape(line) for line in str(text).split("\n"))


def _route_everything(level: str, formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logging.getLogger("gen_video").critical("uncaught_exception", exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(problem: threading.ExceptHookArgs) -> None:
    if problem.exc_value is not None:
        _log_uncaught(problem.exc_type, problem.exc_value, problem.exc_traceback)
