"""How fast models are here: measured by finished jobs, used to predict the device time of new ones.

One figure per model: microseconds of device time per million of work (width x height x steps x
pictures or frames). Workers add what they measured every few seconds; a model that nobody ran yet
has a modest guess, which only the order of jobs depends on.
"""

import threading
import time
from collections import defaultdict
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from gen_video.engines.catalogue import ModelSpec
from gen_video.generation import requests, video_requests
from gen_video.generation.models import JobInput, VideoInput
from gen_video.generation.shares import predict_microseconds
from gen_video.generation.tables import model_speeds

KEEP_SECONDS = 10.0
MEMORY = 0.8
"""What the older figure counts beside one new measurement."""
GUESS_US_PER_MEGAWORK = 100_000.0
"""1024 x 1024 with 40 steps in about four seconds."""
MEGA = 1_000_000


def work_of(resolved: JobInput, spec: ModelSpec) -> int:
    """Return the work of a request: width x height x steps x pictures or frames."""
    if isinstance(resolved, VideoInput):
        return video_requests.work_of(resolved, spec)
    return requests.work_of(resolved)


class Speeds:
    """The measured speeds as one process knows them; safe for threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._known: dict[str, float] = {}
        self._read_at = -KEEP_SECONDS
        self._warm: dict[str, list[float]] = defaultdict(list)
        self._cold: dict[str, list[float]] = defaultdict(list)

    def predict(self, connection: Connection, resolved: JobInput, spec: ModelSpec) -> int:
        """Return the device time that a request is expected to take, in microseconds."""
        speed = self._read(connection).get(spec.id, GUESS_US_PER_MEGAWORK)
        return predict_microseconds(work=work_of(resolved, spec), microseconds_per_megawork=speed)

    def note(
        self, resolved: JobInput, spec: ModelSpec, *, seconds: float, is_warm: bool = True
    ) -> None:
        """Take note of a finished job's device time; `write` keeps it.

        A job whose model had to be loaded first (`is_warm` false) tells little: it counts only
        where nothing is known.
        """
        speed = seconds * MEGA * MEGA / max(1, work_of(resolved, spec))
        with self._guard:
            (self._warm if is_warm else self._cold)[spec.id].append(speed)

    def write(self, connection: Connection, *, now: datetime) -> None:
        """Add what was noted to the figures of all processes."""
        with self._guard:
            warm, self._warm = self._warm, defaultdict(list)
            cold, self._cold = self._cold, defaultdict(list)
        if not warm and not cold:
            return
        self._read_at = -KEEP_SECONDS
        for model, speeds in sorted(warm.items()):
            _blend(connection, model, speeds, now=now)
        for model, speeds in sorted(cold.items()):
            connection.execute(_insert(connection, model, speeds, now=now).on_conflict_do_nothing())

    def _read(self, connection: Connection) -> dict[str, float]:
        if time.monotonic() - self._read_at > KEEP_SECONDS:
            self._read_at = time.monotonic()
            rows = connection.execute(select(model_speeds.c.model, model_speeds.c.us_per_megawork))
            self._known = {row.model: row.us_per_megawork for row in rows}
        return self._known


def _blend(connection: Connection, model: str, speeds: list[float], *, now: datetime) -> None:
    kept = MEMORY ** len(speeds)
    connection.execute(
        _insert(connection, model, speeds, now=now).on_conflict_do_update(
            index_elements=["model"],
            set_={
                "us_per_megawork": kept * model_speeds.c.us_per_megawork
                + (1 - kept) * _typical(speeds),
                "samples": model_speeds.c.samples + len(speeds),
                "updated_at": now,
            },
        )
    )


def _insert(
    connection: Connection, model: str, speeds: list[float], *, now: datetime
) -> sqlite.Insert | postgresql.Insert:
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return dialect_insert(model_speeds).values(
        model=model, us_per_megawork=_typical(speeds), samples=len(speeds), updated_at=now
    )


def _typical(speeds: list[float]) -> float:
    return sorted(speeds)[len(speeds) // 2]
