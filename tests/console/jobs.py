"""Finished jobs as values, for what is pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gen_video.generation.models import (
    Artifact,
    ImageInput,
    Job,
    JobInput,
    JobProgress,
    SceneInput,
    VideoInput,
)
from gen_video.generation.states import JobKind, JobState

START = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
HOSTILE = "\"><img src=x onerror=alert(1)>'; $(rm -rf /) `id` \\ @etc\n<script>雪山</script>"

DRAWING = ImageInput(
    prompt="a lake",
    negative_prompt="",
    width=1024,
    height=768,
    num_inference_steps=40,
    guidance_scale=4.0,
    seed=7,
    n=1,
    output_format="png",
    model="mini",
)
FILM = VideoInput(
    prompt="waves",
    negative_prompt="",
    width=512,
    height=288,
    fps=12,
    num_inference_steps=20,
    guidance_scale=4.0,
    seed=7,
    model="mini-video",
    output_format="mp4",
    scenes=(SceneInput(prompt="waves", num_frames=36),),
)
BOARD = replace(
    FILM,
    scenes=(SceneInput(prompt="dawn", num_frames=24), SceneInput(prompt="night", num_frames=12)),
    overlap=6,
)


def job_of(given: JobInput = DRAWING, *, job_id: str = "job_1", **changes: object) -> Job:
    """Return a job of an input that has succeeded."""
    kind = JobKind.VIDEO if isinstance(given, VideoInput) else JobKind.IMAGE
    job = Job(
        id=job_id,
        account_id="acc_1",
        api_key_id="key_1",
        kind=kind,
        model=given.model,
        state=JobState.SUCCEEDED,
        input=given,
        metadata={},
        units=given.units,
        units_delivered=given.units,
        price_micros=0,
        quota_remaining={"images": 9, "videos": 2},
        attempt=1,
        progress=JobProgress(stage="succeeded", step=40, steps=40),
        error=None,
        cancel_requested_at=None,
        created_at=START,
        started_at=START + timedelta(seconds=2),
        finished_at=START + timedelta(seconds=12),
        deadline_at=START + timedelta(days=1),
        expires_at=None,
        deleted_at=None,
    )
    return replace(job, **changes)  # type: ignore[arg-type] # of any field


def artifact_of(job: Job, *, position: int = 0, **changes: object) -> Artifact:
    """Return a picture of a job."""
    artifact = Artifact(
        id=f"art_{job.id}_{position}",
        job_id=job.id,
        fence=1,
        position=position,
        storage_key=f"objects/{job.id}/{position}",
        public_name=f"images/{job.id}_{position + 1}.png",
        state="live",
        mime="image/png",
        sha256="0" * 64,
        size_bytes=10,
        width=job.input.width,
        height=job.input.height,
        seed=job.input.seed,
        created_at=START,
        expires_at=None,
    )
    return replace(artifact, **changes)  # type: ignore[arg-type] # of any field
