"""What the service answers with, as frozen records; `raw` keeps the answer itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SUCCEEDED = "succeeded"
CANCELED = "canceled"
EXPIRED = "expired"
END_STATES = frozenset({SUCCEEDED, "failed", CANCELED, EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The root of all records.

    Attributes:
        raw: The JSON object that the record was read from, with what this version does not know.
    """

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress(Record):
    """How far a job is.

    `stage` is queued, starting, loading, denoising, decoding, or an end state; `queue_position`
    counts from 1; `scene` and `scenes` are there for storyboards.
    """

    percent: float = 0.0
    step: int = 0
    steps: int = 0
    stage: str = ""
    queue_position: int | None = None
    eta_seconds: float | None = None
    scene: int | None = None
    scenes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Record):
    """A finished file; `state` is live, deleted or expired."""

    url: str
    mime: str = ""
    size_bytes: int = 0
    width: int = 0
    height: int = 0
    seed: int | None = None
    sha256: str = ""
    duration_seconds: float | None = None
    fps: int | None = None
    thumbnail_url: str | None = None
    state: str = "live"

    @property
    def file_name(self) -> str:
        """Return the name that the service gave the file, such as `job_….png`."""
        return self.url.partition("?")[0].rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError(Record):
    """Why a job has no result."""

    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(Record):
    """What a job took; `state` is reserved, captured or released."""

    units: int = 0
    credits: int = 0
    source: str = "quota"
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint(Record):
    """Advice about an accepted request; it changed nothing."""

    code: str = ""
    message: str = ""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Record):
    """A job.

    Of one that was just accepted `id`, `kind`, `status`, `progress` and `hints` are known, no more.
    `input` is the request as the service resolved it: seed, size, steps and all else.
    """

    id: str
    kind: str = ""
    model: str = ""
    status: str = "queued"
    progress: Progress = field(default_factory=Progress)
    input: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    error: JobError | None = None
    cost: Cost = field(default_factory=Cost)
    attempts: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    hints: tuple[Hint, ...] = ()
    is_cancel_requested: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    deleted_at: datetime | None = None
    elapsed_seconds: float | None = None

    @property
    def is_finished(self) -> bool:
        """Tell whether the job has come to its end, well or not."""
        return self.status in END_STATES

    @property
    def is_succeeded(self) -> bool:
        """Tell whether the job has its result."""
        return self.status == SUCCEEDED


@dataclass(frozen=True, slots=True, kw_only=True)
class KindQuota(Record):
    """The units of one kind today."""

    limit: int = 0
    used: int = 0
    reserved: int = 0
    remaining: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas(Record):
    """Both kinds."""

    images: KindQuota = field(default_factory=KindQuota)
    videos: KindQuota = field(default_factory=KindQuota)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(Record):
    """Today's quota and when the day ends."""

    user_id: str
    tier: str = ""
    quota: Quotas = field(default_factory=Quotas)
    resets_at: datetime | None = None
    timezone: str = ""

    @property
    def images(self) -> KindQuota:
        """Return the quota of pictures."""
        return self.quota.images

    @property
    def videos(self) -> KindQuota:
        """Return the quota of videos."""
        return self.quota.videos


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Record):
    """A model on offer, with its defaults and limits."""

    id: str
    title: str = ""
    description: str = ""
    knows: str = ""
    kinds: tuple[str, ...] = ()
    is_default: bool = False
    is_loaded: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    price_micros: int = 0
    licence: str = ""
    licence_url: str = ""
    takes_loras: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora(Record):
    """An adapter that changes a model's characters or style."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loras(Record):
    """The adapters on offer, by kind."""

    character: tuple[Lora, ...] = ()
    style: tuple[Lora, ...] = ()
