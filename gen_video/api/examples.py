"""Examples of answers for the OpenAPI document, made of the shapes that routes answer with."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from gen_video import __version__
from gen_video.api.v1.health import ChecksView, HealthView, LiveView, QueueView
from gen_video.api.v1.shapes import (
    AcceptedView,
    CostView,
    GeneratedView,
    ImageView,
    InputView,
    JobListView,
    JobView,
    KindQuotaView,
    LorasView,
    LoraView,
    ModelListView,
    ModelView,
    OutputView,
    ProgressView,
    QuotaReply,
    QuotasView,
    Remaining,
    TaskView,
    UrlsView,
    VideoGeneratedView,
)
from gen_video.engines.catalogue import ModelDefaults, ModelLimits, TaskKind
from gen_video.generation.states import JobKind, JobState

JOB_ID = "job_4bDk2Qv9sTnW1xYz8aLm3P"
JOB_URL = f"/api/v1/jobs/{JOB_ID}"
IMAGE_URL = f"/api/v1/files/images/{JOB_ID}.png"
VIDEO_URL = f"/api/v1/files/videos/{JOB_ID}.mp4"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
MOMENT = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
SECONDS = 4.2
REMAINING = Remaining(images=9, videos=2)
PROMPT = "雪山日出，湖面倒影"

QUEUED = ProgressView(percent=0, step=0, steps=40, stage="queued", queue_position=3, eta_seconds=12)
DONE = ProgressView(percent=100, step=40, steps=40, stage="succeeded")


def answer_examples() -> dict[str, dict[str, Any]]:
    """Return an example of the main answers, by operation id and status."""
    views: dict[str, dict[str, BaseModel]] = {
        "get_health": {"200": _health()},
        "get_readiness": {"200": _health()},
        "get_liveness": {"200": LiveView(status="ok")},
        "get_quota": {"200": _quota()},
        "generate_image": {"200": _pictures(), "202": _accepted()},
        "generate_video": {"200": _video(), "202": _accepted()},
        "list_jobs": {"200": _jobs()},
        "get_job": {"200": _job(JobState.SUCCEEDED)},
        "get_task": {"200": _task()},
        "cancel_job": {"200": _job(JobState.CANCELED)},
        "delete_job": {"200": _job(JobState.SUCCEEDED, deleted_at=MOMENT + timedelta(days=1))},
        "list_models": {"200": _models()},
        "list_loras": {"200": _loras()},
    }
    return {
        operation: {status: view.model_dump(mode="json") for status, view in answers.items()}
        for operation, answers in views.items()
    }


def job_example() -> dict[str, Any]:
    """Return a finished job, as the last event of its stream carries it."""
    return _job(JobState.SUCCEEDED).model_dump(mode="json")


def _health() -> HealthView:
    return HealthView(
        status="ok",
        version=__version__,
        checks=ChecksView(database="ok", storage="ok", queue="ok", engine="ok"),
        queue=QueueView(queued=2, running=1, workers=1, time_to_drain_seconds=12.5),
        resident_models=["mini"],
    )


def _quota() -> QuotaReply:
    return QuotaReply(
        user_id="test_user",
        tier="free",
        quota=QuotasView(
            images=KindQuotaView(limit=10, used=1, reserved=0, remaining=9),
            videos=KindQuotaView(limit=2, used=0, reserved=0, remaining=2),
        ),
        quota_remaining=REMAINING,
        resets_at=datetime(2026, 12, 1, 16, tzinfo=UTC),
        timezone="Asia/Shanghai",
    )


def _pictures() -> GeneratedView:
    picture = ImageView(
        image_url=IMAGE_URL,
        file_size=1_234_567,
        width=1024,
        height=1024,
        seed=7,
        mime="image/png",
        sha256=SHA256,
    )
    return GeneratedView(
        task_id=JOB_ID,
        status="completed",
        **picture.model_dump(include={"image_url", "file_size", "width", "height", "seed"}),
        model="mini",
        quota_remaining=REMAINING,
        elapsed_seconds=SECONDS,
        images=[picture],
        job_url=JOB_URL,
    )


def _video() -> VideoGeneratedView:
    return VideoGeneratedView(
        task_id=JOB_ID,
        status="completed",
        video_url=VIDEO_URL,
        file_size=2_345_678,
        duration=3.0,
        num_frames=49,
        fps=16,
        width=832,
        height=480,
        seed=7,
        model="wan2.1-t2v-1.3b",
        mime="video/mp4",
        sha256=SHA256,
        poster_url=f"/api/v1/files/videos/{JOB_ID}_poster.jpg",
        thumbnails_url=f"/api/v1/files/videos/{JOB_ID}_strip.jpg",
        quota_remaining=REMAINING,
        elapsed_seconds=95.0,
        job_url=JOB_URL,
    )


def _accepted() -> AcceptedView:
    return AcceptedView(
        task_id=JOB_ID,
        status="queued",
        progress=QUEUED,
        quota_remaining=REMAINING,
        job_url=JOB_URL,
        events_url=f"{JOB_URL}/events",
    )


def _task() -> TaskView:
    pictures = _pictures()
    return TaskView(
        status="completed",
        progress=DONE,
        **pictures.model_dump(exclude={"status", "hints"}),
    )


def _jobs() -> JobListView:
    job = _job(JobState.SUCCEEDED)
    return JobListView(data=[job], first_id=job.id, last_id=job.id, has_more=False)


def _job(state: JobState, *, deleted_at: datetime | None = None) -> JobView:
    is_done = state is JobState.SUCCEEDED
    return JobView(
        id=JOB_ID,
        kind=JobKind.IMAGE,
        model="mini",
        status=state,
        progress=DONE if is_done else ProgressView(percent=0, step=0, steps=40, stage=state.value),
        input=InputView(
            prompt=PROMPT,
            negative_prompt="",
            width=1024,
            height=1024,
            num_inference_steps=40,
            guidance_scale=7.5,
            seed=7,
            n=1,
            output_format="png",
        ),
        outputs=[_output("live" if deleted_at is None else "deleted")] if is_done else [],
        error=None,
        cost=CostView(units=int(is_done), credits=0, state="captured" if is_done else "released"),
        attempts=int(is_done),
        metadata={"order": "1234"},
        is_cancel_requested=not is_done,
        created_at=MOMENT,
        started_at=MOMENT if is_done else None,
        finished_at=MOMENT + timedelta(seconds=SECONDS),
        deadline_at=MOMENT + timedelta(days=1),
        expires_at=MOMENT + timedelta(days=30) if is_done else None,
        deleted_at=deleted_at,
        elapsed_seconds=SECONDS if is_done else None,
        urls=UrlsView(self=JOB_URL, cancel=f"{JOB_URL}/cancel", events=f"{JOB_URL}/events"),
    )


def _output(state: str) -> OutputView:
    return OutputView(
        url=IMAGE_URL,
        mime="image/png",
        size_bytes=1_234_567,
        width=1024,
        height=1024,
        seed=7,
        sha256=SHA256,
        state="live" if state == "live" else "deleted",
    )


def _models() -> ModelListView:
    model = ModelView(
        id="mini",
        title="Mini",
        description="A small landscape model that runs on a CPU. / 可在 CPU 上运行的小型风景模型。",
        knows="mountains, lakes, the sea, sunsets / 山、湖、海、日落",
        kinds=[TaskKind.TEXT_TO_IMAGE],
        is_default=True,
        is_loaded=True,
        defaults=ModelDefaults(width=1024, height=1024, num_inference_steps=40, guidance_scale=7.5),
        limits=ModelLimits(),
        price_micros=10_000,
        licence="Apache-2.0",
        licence_url="https://www.apache.org/licenses/LICENSE-2.0",
        takes_loras=False,
    )
    return ModelListView(data=[model])


def _loras() -> LorasView:
    return LorasView(
        character=[LoraView(name="hero", description="Our hero / 我们的主角")],
        style=[LoraView(name="ink", description="Ink painting / 水墨")],
    )
