"""Downloading a file: written whole or not at all, checked, gone on with after a cut."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Protocol

import httpx

from gen_video.client.connection import Connection
from gen_video.client.errors import DownloadError
from gen_video.client.exchange import (
    Emit,
    Notify,
    Part,
    Read,
    Steps,
    make_call,
    open_stream,
    recover,
    unreachable,
)
from gen_video.client.happenings import DownloadProgress
from gen_video.client.jobs import get_job
from gen_video.client.records import Job, Output

OnDownload = Callable[[DownloadProgress], object]
ANYTHING = "*/*"
_SEPARATORS = frozenset("/\\:")
_PART = re.compile(r"bytes (\d+)-\d+/(\d+)")


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(slots=True, kw_only=True)
class _Arrival:
    """What has arrived of a file so far."""

    output: Output
    file: BinaryIO
    digest: _Digest = field(default_factory=hashlib.sha256)
    received: int = 0
    total: int = 0
    etag: str = ""
    failures: int = 0

    def keep(self, chunk: bytes) -> None:
        self.file.write(chunk)
        self.digest.update(chunk)
        self.received += len(chunk)
        self.failures = 0

    def start_over(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.digest = hashlib.sha256()
        self.received = 0

    def require_whole(self) -> None:
        """Raise DownloadError unless it is what the service said."""
        expected = self.output.size_bytes or self.total
        if expected and self.received != expected:
            raise DownloadError(f"{self.output.url} has {self.received} bytes, not {expected}")
        if self.output.sha256 and self.digest.hexdigest() != self.output.sha256:
            raise DownloadError(f"{self.output.url} was damaged on the way; download it again")


def download_first(
    connection: Connection, what: Job | Output | str, path: Path, *, on_progress: OnDownload | None
) -> Steps[Path]:
    """Download an output, or the first one of a job."""
    output = what if isinstance(what, Output) else (yield from _outputs_of(connection, what))[0]
    saved = yield from _download(connection, output, _target(path, output), on_progress)
    yield Emit(saved)


def download_each(
    connection: Connection, what: Job | str, folder: Path, *, on_progress: OnDownload | None
) -> Steps[Path]:
    """Download all outputs of a job into a folder, and hand out the files."""
    outputs = yield from _outputs_of(connection, what)
    for output in outputs:
        target = folder / _own_name(output)
        saved = yield from _download(connection, output, target, on_progress)
        yield Emit(saved)


def _outputs_of(connection: Connection, what: Job | str) -> Part[tuple[Output, ...]]:
    """Return what a job has made; ask for it where the job at hand is an older state of it."""
    job = what if isinstance(what, Job) else (yield from make_call(connection, get_job(what)))
    if not job.outputs:
        job = yield from make_call(connection, get_job(job.id))
    if not job.outputs:
        raise DownloadError(f"{job.id} is {job.status} and has no files")
    return job.outputs


def _target(path: Path, output: Output) -> Path:
    return path / _own_name(output) if path.is_dir() else path


def _own_name(output: Output) -> str:
    """Return the name of an output; one that leads out of the folder is not taken."""
    name = output.file_name
    if not name.strip(".") or _SEPARATORS & set(name):
        raise DownloadError(f"{output.url} has no name that a file can have; name the file")
    return name


def _download(
    connection: Connection, output: Output, target: Path, on_progress: OnDownload | None
) -> Part[Path]:
    # In the same folder, or the last step could not be one.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            arrival = _Arrival(output=output, file=file, total=output.size_bytes)
            yield from _fetch(connection, arrival, on_progress)
            arrival.require_whole()
        temporary.replace(target)
    except OSError as error:
        raise DownloadError(f"{target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - gone already, mostly
    return target


def _fetch(connection: Connection, arrival: _Arrival, on_progress: OnDownload | None) -> Part[None]:
    """Read the file to its end, however often the connection is cut."""
    while True:
        try:
            yield from _open(connection, arrival)
            while (chunk := (yield Read())) is not None:
                arrival.keep(chunk)
                progress = DownloadProgress(
                    received_bytes=arrival.received, total_bytes=arrival.total
                )
                yield Notify(on_progress, progress)
        except httpx.TransportError as error:
            arrival.failures += 1
            yield from recover(connection, arrival.failures, unreachable(connection, error))
        else:
            return


def _open(connection: Connection, arrival: _Arrival) -> Part[None]:
    """Ask for what is missing; go on where the answer begins."""

    def request() -> httpx.Request:
        return connection.open(
            arrival.output.url,
            accept=ANYTHING,
            headers=_wanted(arrival),
            read_seconds=connection.timeouts.read,
        )

    also = {HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE} if arrival.received else set()
    response = yield from open_stream(connection, request, also=also)
    if response.status_code in also:
        arrival.start_over()
        response = yield from open_stream(connection, request)
    _begin(arrival, response)


def _wanted(arrival: _Arrival) -> dict[str, str]:
    if not (arrival.received and arrival.etag):
        return {}
    return {"range": f"bytes={arrival.received}-", "if-range": arrival.etag}


def _begin(arrival: _Arrival, response: httpx.Response) -> None:
    arrival.etag = response.headers.get("etag", "")
    part = _PART.fullmatch(response.headers.get("content-range", ""))
    if response.status_code == HTTPStatus.PARTIAL_CONTENT and part is not None:
        if int(part[1]) != arrival.received:
            raise DownloadError(f"{arrival.output.url}: another part came than was asked for")
        arrival.total = int(part[2])
        return
    arrival.start_over()
    arrival.total = int(response.headers.get("content-length") or arrival.total)
