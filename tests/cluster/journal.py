"""The client's journal: what the service has said, written down before anything else happens.

It is fsynced line by line, so that it is there to hold the service to its word whatever dies. Every
observation of a job goes through here: a job that was over and is not any more is a lie.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})
SEED_WORDS = {"completed": "succeeded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the load, identified by its idempotency key.

    `body["metadata"]["request"]` carries the key, so that its job can be found by it.
    """

    key: str
    account: int
    kind: str
    body: Mapping[str, Any]

    @property
    def path(self) -> str:
        """Return where it is sent."""
        return f"/api/v1/{self.kind}s/generate"


@dataclass(kw_only=True)
class Ending:
    """How a job was first seen to be over."""

    status: str
    seen_at: float


@dataclass
class Journal:
    """Everything that the service has said to the load's clients."""

    path: Path
    requests: dict[str, Request] = field(default_factory=dict)
    accepted: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    canceled: set[str] = field(default_factory=set)
    endings: dict[str, Ending] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    lies: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    slowest_answer_seconds: float = 0.0

    def __enter__(self) -> Self:
        self._file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def accept(self, request: Request, job_id: str) -> None:
        """Note that a request has become a job; a second one for it is a lie."""
        self._write(event="accepted", key=request.key, job_id=job_id, body=dict(request.body))
        self.requests[request.key] = request
        known = self.accepted.setdefault(request.key, job_id)
        self.owners[job_id] = request.account
        if known != job_id:
            self.lie(f"two jobs for one request {request.key}: {known} and {job_id}")

    def refuse(self, request: Request, status: int) -> None:
        """Note that a request was refused for good: it must have left nothing."""
        self._write(event="refused", key=request.key, status=status)
        self.requests[request.key] = request
        self.refused[request.key] = status
        self.figures[f"refused {status}"] += 1
        if request.key in self.accepted:
            self.lie(f"{request.key} was accepted, then refused with {status}")

    def give_up(self, request: Request) -> None:
        """Note that a request was never answered: it may have become one job, or none."""
        self._write(event="unknown", key=request.key)
        self.requests[request.key] = request
        self.unknown.add(request.key)

    def cancel(self, job_id: str) -> None:
        """Note that a cancellation was acknowledged: the job must not succeed."""
        self._write(event="cancel", job_id=job_id)
        self.canceled.add(job_id)

    def observe(self, job_id: str, status: str, *, asked_at: float) -> bool:
        """Note what was said about a job; return whether it is over.

        `asked_at` is when the question was sent, in monotonic seconds: an answer to a question
        from before the ending may be older than it.
        """
        status = SEED_WORDS.get(status, status)
        ending = self.endings.get(job_id)
        if ending is None:
            if status in TERMINAL:
                self.endings[job_id] = Ending(status=status, seen_at=time.monotonic())
        elif status != ending.status and (status in TERMINAL or asked_at > ending.seen_at):
            self.lie(f"{job_id} was {ending.status}, then {status}")
        return status in TERMINAL

    def lie(self, text: str) -> None:
        """Note something that must never be said."""
        self._write(event="lie", text=text)
        self.lies.append(text)

    def _write(self, **entry: object) -> None:
        self._file.write(json.dumps(entry | {"at": round(time.time(), 3)}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
