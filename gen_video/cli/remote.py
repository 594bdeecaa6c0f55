"""What every command for a service needs: the connection, and words and codes for its failures."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, NoReturn

import typer

from gen_video.cli.exits import Exit, code_of
from gen_video.cli.logins import find_target
from gen_video.cli.terminal import note, plain, say
from gen_video.client import (
    ApiError,
    Client,
    ClientError,
    ConfigurationError,
    DownloadError,
    JobFailedError,
    ServerError,
    UnexpectedAnswerError,
    UnreachableError,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url", metavar="URL", help="Another service than that of the login / 服务地址"
    ),
]
WORDS: tuple[tuple[type[ClientError], str], ...] = (
    (UnreachableError, "无法连接服务"),
    (UnexpectedAnswerError, "该地址不是 gen_video 服务"),
    (DownloadError, "下载失败"),
    (ConfigurationError, "参数有误"),
)
"""What this side says; what the service says comes in the person's language already."""
LANGUAGE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


@contextmanager
def connect(base_url: str | None = None, *, is_json: bool = False) -> Iterator[Client]:
    """Give a client of the service that is meant; turn its failures into a line and a code."""
    target = find_target(base_url)
    if target.base_url is None:
        note(
            "Which service? Log in once: gen-video login --base-url URL",
            "请先登录服务：gen-video login --base-url URL",
        )
        raise SystemExit(Exit.AUTHENTICATION)
    if target.key is None:
        note(
            f"There is no key for {target.base_url}. "
            f"Log in: gen-video login --base-url {target.base_url}",
            f"没有 {target.base_url} 的密钥，请先登录",
        )
        raise SystemExit(Exit.AUTHENTICATION)
    with connect_with(target.base_url, target.key, is_json=is_json) as client:
        yield client


@contextmanager
def connect_with(base_url: str, key: str, *, is_json: bool) -> Iterator[Client]:
    """Give a client of an address with a key, as above."""
    try:
        with Client(base_url, key, language=language()) as client:
            yield client
    except ClientError as error:
        fail(error, is_json=is_json)


def fail(error: ClientError, *, is_json: bool = False) -> NoReturn:
    """Say what went wrong, and end with the code that stands for it."""
    code = code_of(error)
    if is_json:
        # One line, so that it also ends the lines of `watch --json`.
        say(json.dumps({"error": _describe(error)}, ensure_ascii=False))
    else:
        sys.stderr.write(f"{plain(_sentence(error))}\n")
    raise SystemExit(code) from error


def _sentence(error: ClientError) -> str:
    if not isinstance(error, ApiError):
        zh = next((words for kind, words in WORDS if isinstance(error, kind)), "")
        return f"{error} / {zh}" if zh else str(error)
    fields = "".join(f"\n  {item.pointer}: {item.detail}" for item in error.errors[1:])
    return f"{error.detail}{fields}"


def _describe(error: ClientError) -> dict[str, object]:
    if isinstance(error, ApiError):
        return {
            "code": error.code,
            "message": error.detail,
            "status": error.status,
            "request_id": error.request_id,
            "errors": [asdict(item) for item in error.errors],
        }
    code = error.code if isinstance(error, JobFailedError) else code_of(error).name.lower()
    return {"code": code, "message": str(error)}


@contextmanager
def stay_reachable(job_id: str) -> Iterator[None]:
    """While a job is waited for: whatever ends the waiting, say how to come back to it."""
    try:
        yield
    except KeyboardInterrupt:
        _say_how_to_return(job_id)
        raise SystemExit(Exit.INTERRUPTED) from None
    except (UnreachableError, ServerError):
        _say_how_to_return(job_id)
        raise


def _say_how_to_return(job_id: str) -> None:
    note(
        f"{job_id} goes on. Come back with: gen-video watch {job_id}",
        f"任务仍在继续，可用此命令返回：gen-video watch {job_id}",
    )


def language() -> str:
    """Return the language of the person, for what the service says."""
    variables = os.environ  # noqa: TID251 - the person's, not the service's settings
    named = next((variables[name] for name in LANGUAGE_VARIABLES if variables.get(name)), "")
    return "zh" if named.lower().startswith("zh") else "en"
