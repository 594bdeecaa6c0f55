"""How the services' values become the answers of the OpenAI face."""

import math
from collections.abc import Sequence

from gen_video.api.openai.measures import seconds_text
from gen_video.api.openai.shapes import (
    MadeVideoView,
    MadeView,
    OfferedView,
    OpenAiModelView,
    VideoErrorView,
    VideoView,
)
from gen_video.api.v1.answers import failure_words
from gen_video.api.v1.shapes import HintView
from gen_video.api.v1.views import cost_view, job_url
from gen_video.engines.catalogue import Catalogue, ModelSpec
from gen_video.errors import Language
from gen_video.generation.models import Job, VideoInput
from gen_video.generation.states import JobState

OWNER = "gen_video"
STATUSES = {
    JobState.QUEUED: "queued",
    JobState.RUNNING: "in_progress",
    JobState.SUCCEEDED: "completed",
}
"""Every other state is `failed`: a client that polls stops at words that it does not know."""
ALMOST_ALL = 99
MIN_POLL_SECONDS, MAX_POLL_SECONDS, USUAL_POLL_SECONDS = 1.0, 10.0, 2.0
POLLS = 8
"""How often a client looks until a video is expected to be done."""


def made_view(job: Job, hints: Sequence[HintView] = ()) -> MadeView:
    """Show what was really made of pictures."""
    return MadeView(
        job_id=job.id,
        job_url=job_url(job.id),
        model=job.model,
        cost=cost_view(job),
        seed=job.input.seed,
        num_inference_steps=job.input.num_inference_steps,
        guidance_scale=job.input.guidance_scale,
        hints=list(hints),
    )


def video_view(
    job: Job, given: VideoInput, language: Language, hints: Sequence[HintView] = ()
) -> VideoView:
    """Show a video job."""
    status = STATUSES.get(job.state, "failed")
    is_done = job.state is JobState.SUCCEEDED
    return VideoView.model_validate(
        {
            "id": job.id,
            "model": job.model,
            "status": status,
            "progress": 100 if is_done else min(int(job.progress.percent), ALMOST_ALL),
            "created_at": int(job.created_at.timestamp()),
            "completed_at": int(job.finished_at.timestamp())
            if is_done and job.finished_at
            else None,
            "expires_at": None if job.expires_at is None else int(job.expires_at.timestamp()),
            "prompt": given.prompt,
            "seconds": seconds_text(given.duration_seconds),
            "size": f"{given.width}x{given.height}",
            "remixed_from_video_id": given.remixed_from,
            "error": _failure(job, language) if status == "failed" else None,
            "gen_video": MadeVideoView(
                **made_view(job, hints).model_dump(),
                fps=given.fps,
                num_frames=given.num_frames,
                duration_seconds=round(given.duration_seconds, 3),
            ),
        }
    )


def poll_after_ms(job: Job) -> int:
    """Return how long a client that polls should wait: its SDK keeps the first pace it is told."""
    eta = job.progress.eta_seconds
    seconds = USUAL_POLL_SECONDS if eta is None else eta / POLLS
    return math.ceil(1000 * min(max(seconds, MIN_POLL_SECONDS), MAX_POLL_SECONDS))


def model_view(
    spec: ModelSpec, catalogue: Catalogue, language: Language, *, name: str | None = None
) -> OpenAiModelView:
    """Show a model on offer, under another name if one was asked for."""
    return OpenAiModelView(
        id=name or spec.id,
        created=0,
        owned_by=OWNER,
        gen_video=OfferedView(
            title=spec.title_zh if language == "zh" else spec.title_en,
            kinds=sorted(spec.kinds),
            is_default=spec.id in {catalogue.default_image_model, catalogue.default_video_model},
            model=spec.id,
        ),
    )


def _failure(job: Job, language: Language) -> VideoErrorView:
    code, message = failure_words(job, language)
    return VideoErrorView(code=code, message=message)
