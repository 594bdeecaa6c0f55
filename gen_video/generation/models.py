"""What the generation slice hands out: jobs, their outputs, and the work for a worker."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from gen_video.generation.states import JobKind, JobState

ALMOST_DONE = 99.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """A fully resolved request for pictures: what the engine will be asked for.

    Attributes:
        loras: Names of adapters, all at their normal strength.
        strength: Distance from the reference image; None without one.
        reference_bytes: How long each stored reference picture is; empty for none, or for one that
            is all that is stored.
        mask_bytes: How long the mask behind them is; 0 without one.
        output_compression: Quality of a JPEG or WebP file, 0 to 100; None for the usual one.
        previews: How many pictures of the unfinished work are wanted.
    """

    prompt: str
    negative_prompt: str
    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    seed: int
    n: int
    output_format: str
    model: str
    strength: float | None = None
    reference_image_type: str | None = None
    loras: tuple[str, ...] = ()
    reference_bytes: tuple[int, ...] = ()
    mask_bytes: int = 0
    output_compression: int | None = None
    previews: int = 0

    @property
    def units(self) -> int:
        """Return how many units of quota the job takes."""
        return self.n

    @property
    def all_steps(self) -> int:
        """Return the steps of the whole job."""
        return self.num_inference_steps * self.n

    @property
    def prompts(self) -> tuple[str, ...]:
        """Return every prompt of the job."""
        return (self.prompt,)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneInput:
    """One scene of a video.

    Attributes:
        reference_bytes: How much of the job's stored references is this scene's first frame; 0
            for a scene without one.
    """

    prompt: str
    num_frames: int
    reference_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInput:
    """A fully resolved request for one video of one or more scenes.

    Attributes:
        overlap: Frames that two neighbouring scenes share in a cross-fade; 0 for cuts.
        previews: How many pictures of the unfinished work are wanted.
        remixed_from: The job whose video this one varies; None for an original.
    """

    prompt: str
    negative_prompt: str
    width: int
    height: int
    fps: int
    num_inference_steps: int
    guidance_scale: float
    seed: int
    model: str
    output_format: str
    scenes: tuple[SceneInput, ...]
    overlap: int = 0
    previews: int = 0
    remixed_from: str | None = None

    @property
    def units(self) -> int:
        """Return how many units of quota the job takes: a video is one."""
        return 1

    @property
    def all_steps(self) -> int:
        """Return the steps of the whole job."""
        return self.num_inference_steps * len(self.scenes)

    @property
    def prompts(self) -> tuple[str, ...]:
        """Return every prompt of the job, each once."""
        return tuple(dict.fromkeys(scene.prompt for scene in self.scenes if scene.prompt))

    @property
    def num_frames(self) -> int:
        """Return the frames of the finished video."""
        shared = self.overlap * (len(self.scenes) - 1)
        return sum(scene.num_frames for scene in self.scenes) - shared

    @property
    def duration_seconds(self) -> float:
        """Return the length of the finished video."""
        return self.num_frames / self.fps


JobInput: TypeAlias = ImageInput | VideoInput


class FileRole(StrEnum):
    """What a finished file is to its job: what was asked for, or a still beside it."""

    OUTPUT = "output"
    THUMBNAIL = "thumbnail"
    POSTER = "poster"
    STRIP = "strip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A finished file: `public_name` is its address, `storage_key` its place.

    `num_frames` and `fps` are a video's, None for a still picture.
    """

    id: str
    job_id: str
    fence: int
    position: int
    storage_key: str
    public_name: str
    state: str
    mime: str
    sha256: str
    size_bytes: int
    width: int
    height: int
    seed: int
    created_at: datetime
    expires_at: datetime | None
    role: str = FileRole.OUTPUT.value
    num_frames: int | None = None
    fps: int | None = None

    @property
    def duration_seconds(self) -> float | None:
        """Return a video's length, None for a still picture."""
        if self.num_frames is None or self.fps is None:
            return None
        return round(self.num_frames / self.fps, 3)


def thumbnail_position(units: int, position: int) -> int:
    """Return the place of a picture's thumbnail among a job's files: behind all pictures."""
    return units + position


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """How far a job is; times in seconds, None when unknown."""

    stage: str
    step: int
    steps: int
    queue_position: int | None = None
    eta_seconds: float | None = None

    @property
    def percent(self) -> float:
        """Return 0 to 100; what is still being decoded and encoded is not done."""
        done = round(100 * self.step / self.steps, 1) if self.steps else 0.0
        return min(done, ALMOST_DONE) if self.stage == "decoding" else done


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job has no result, with a stable code and a sentence in both languages."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as its owner sees it."""

    id: str
    account_id: str
    api_key_id: str
    kind: JobKind
    model: str
    state: JobState
    input: JobInput
    metadata: dict[str, str]
    units: int
    units_delivered: int | None
    price_micros: int
    quota_remaining: dict[str, int]
    attempt: int
    progress: JobProgress
    error: JobError | None
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime
    expires_at: datetime | None
    deleted_at: datetime | None
    files: tuple[Artifact, ...] = ()

    @property
    def outputs(self) -> tuple[Artifact, ...]:
        """Return the files that were asked for, in order."""
        return tuple(file for file in self.files if file.role == FileRole.OUTPUT)

    def find_still(self, output: Artifact) -> Artifact | None:
        """Return the picture that stands for an output in lists; None for a small picture."""
        place = thumbnail_position(self.units, output.position)
        return next(
            (
                file
                for file in self.files
                if file.role == FileRole.POSTER
                or (file.role == FileRole.THUMBNAIL and file.position == place)
            ),
            None,
        )

    @property
    def elapsed_seconds(self) -> float | None:
        """Return the time from acceptance to the end, None while it runs."""
        if self.finished_at is None:
            return None
        return (self.finished_at - self.created_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The answer to a submit: `is_replayed` when the job had been accepted before."""

    job: Job
    is_replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """One page of jobs, newest first."""

    jobs: tuple[Job, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedJob:
    """A job under a lease: every later step must show the same fence."""

    id: str
    fence: int
    attempt: int
    crash_count: int
    kind: JobKind
    input: JobInput
    reference_key: str | None
    created_at: datetime
    deadline_at: datetime
    claimed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseState:
    """What a renewal learned."""

    is_cancel_requested: bool
    is_past_deadline: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A file that an attempt has stored and verified, not yet visible to anybody."""

    position: int
    storage_key: str
    extension: str
    mime: str
    sha256: str
    size_bytes: int
    width: int
    height: int
    seed: int
    role: FileRole = FileRole.OUTPUT
    num_frames: int | None = None
    fps: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    """The little that a waiting client watches; `fence` and `previews` count those of the job."""

    state: JobState
    stage: str
    step: int
    steps: int
    fence: int = 0
    previews: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPreview:
    """A small picture of unfinished work, not numbered yet."""

    step: int
    steps: int
    mime: str
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A small picture of unfinished work; `number` counts a job's previews from 1."""

    number: int
    step: int
    steps: int
    mime: str
    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFigures:
    """One queue at one moment.

    Attributes:
        slots: Jobs that the living workers can run at once.
        time_to_drain_seconds: Predicted device time of all that waits, over the slots; with no
            slot as if there were one, so that a pool without workers asks for some.
    """

    pool: str
    kind: str
    queued: int
    running: int
    slots: int
    time_to_drain_seconds: float
    oldest_queued_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """All queues at one moment, for health and metrics."""

    pools: tuple[PoolFigures, ...]
    workers: int
    resident_models: tuple[str, ...]

    def queued(self, kind: str) -> int:
        """Return the jobs of one kind that wait."""
        return sum(pool.queued for pool in self.pools if pool.kind == kind)

    def running(self, kind: str) -> int:
        """Return the jobs of one kind that run."""
        return sum(pool.running for pool in self.pools if pool.kind == kind)

    @property
    def time_to_drain_seconds(self) -> float:
        """Return when the last queue is expected to be empty."""
        return max((pool.time_to_drain_seconds for pool in self.pools), default=0.0)

    @property
    def oldest_queued_seconds(self) -> float:
        """Return the age of the oldest job that waits."""
        return max((pool.oldest_queued_seconds for pool in self.pools), default=0.0)
