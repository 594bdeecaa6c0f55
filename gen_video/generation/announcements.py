"""Announcements: what the owner of a job, or whom they name, is told when it ends."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import Row

from gen_video.generation.models import Delivery, FileRole
from gen_video.webhooks.models import ErrorFacts, JobFacts, OutputFacts

AnyRow = Row[*tuple[Any, ...]]
NamedFile: TypeAlias = tuple[str, Delivery]
"""A finished file and its public name."""

FileAddress: TypeAlias = Callable[[str, datetime], str]
"""Gives the address of a public name, as it is at a moment."""


def list_outputs(files: Sequence[NamedFile]) -> list[NamedFile]:
    """Return those of a job's files that were asked for."""
    return [(name, file) for name, file in files if file.role is FileRole.OUTPUT]


def describe_end(row: AnyRow, files: Sequence[NamedFile], *, file_address: FileAddress) -> JobFacts:
    """Return what is told of a job that has just ended.

    Args:
        row: The job as it now stands.
        files: What it made.
        file_address: Where that can be fetched.
    """
    error = None
    if row.error_code is not None:
        error = ErrorFacts(code=row.error_code, en=row.error_en or "", zh=row.error_zh or "")
    return JobFacts(
        id=row.id,
        account_id=row.account_id,
        kind=row.kind,
        model=row.model,
        status=row.state,
        outputs=tuple(
            _output(file, url=file_address(name, row.finished_at))
            for name, file in list_outputs(files)
        ),
        error=error,
        metadata=json.loads(row.metadata_json) if row.metadata_json else {},
        units=row.units_delivered or 0,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def _output(file: Delivery, *, url: str) -> OutputFacts:
    seconds = None
    if file.num_frames is not None and file.fps is not None:
        seconds = round(file.num_frames / file.fps, 3)
    return OutputFacts(
        url=url,
        mime=file.mime,
        size_bytes=file.size_bytes,
        width=file.width,
        height=file.height,
        duration_seconds=seconds,
    )
