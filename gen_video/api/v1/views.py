"""How the services' values become the answers of the seed's face."""

import math
from collections.abc import Sequence

from gen_video.api.v1 import PREFIX
from gen_video.api.v1.links import FileUrl
from gen_video.api.v1.shapes import (
    AcceptedView,
    CostView,
    ErrorView,
    GeneratedView,
    HintView,
    ImageView,
    InputView,
    JobView,
    KindQuotaView,
    LorasView,
    LoraView,
    ModelView,
    OutputView,
    ProgressView,
    QuotaReply,
    QuotasView,
    Remaining,
    SceneView,
    TaskView,
    UrlsView,
    VideoGeneratedView,
)
from gen_video.engines.catalogue import Catalogue, ModelSpec
from gen_video.engines.loras import Adapter
from gen_video.errors import Language
from gen_video.generation.hints import Hint
from gen_video.generation.models import (
    Artifact,
    FileRole,
    Job,
    JobInput,
    JobProgress,
    VideoInput,
)
from gen_video.generation.states import JobKind, JobState
from gen_video.quotas.models import KindQuota, QuotaView

SEED_WORDS = {JobState.SUCCEEDED: "completed"}
"""The seed says `completed` where the job resource says `succeeded`."""
COST_STATES = {
    JobState.QUEUED: "reserved",
    JobState.RUNNING: "reserved",
    JobState.SUCCEEDED: "captured",
}


def job_url(job_id: str) -> str:
    """Return the address of a job."""
    return f"{PREFIX}/jobs/{job_id}"


def image_view(artifact: Artifact, file_url: FileUrl) -> ImageView:
    """Show a finished picture in the seed's words."""
    return ImageView(
        image_url=file_url(artifact),
        file_size=artifact.size_bytes,
        width=artifact.width,
        height=artifact.height,
        seed=artifact.seed,
        mime=artifact.mime,
        sha256=artifact.sha256,
    )


def hint_views(hints: Sequence[Hint], language: Language) -> list[HintView]:
    """Show advice in the reader's language."""
    return [
        HintView(
            code=hint.code,
            message=hint.zh if language == "zh" else hint.en,
            models=list(hint.models),
        )
        for hint in hints
    ]


def generated_view(job: Job, *, file_url: FileUrl, hints: list[HintView]) -> GeneratedView:
    """Show a succeeded job; made of its row alone, so that a repeated request reads the same."""
    images = [image_view(artifact, file_url) for artifact in job.outputs]
    first = images[0]
    return GeneratedView(
        task_id=job.id,
        status="completed",
        image_url=first.image_url,
        file_size=first.file_size,
        width=first.width,
        height=first.height,
        seed=first.seed,
        model=job.model,
        quota_remaining=remaining_view(job.quota_remaining),
        elapsed_seconds=job.elapsed_seconds,
        images=images,
        job_url=job_url(job.id),
        hints=hints,
    )


def video_generated_view(
    job: Job, *, file_url: FileUrl, hints: list[HintView]
) -> VideoGeneratedView:
    """Show a succeeded video job; made of its row alone, as above."""
    video = job.outputs[0]
    stills = _still_urls(job, file_url)
    return VideoGeneratedView(
        task_id=job.id,
        status="completed",
        video_url=file_url(video),
        file_size=video.size_bytes,
        duration=video.duration_seconds or 0.0,
        num_frames=video.num_frames or 0,
        fps=video.fps or 0,
        width=video.width,
        height=video.height,
        seed=video.seed,
        model=job.model,
        mime=video.mime,
        sha256=video.sha256,
        poster_url=stills.get(FileRole.POSTER),
        thumbnails_url=stills.get(FileRole.STRIP),
        quota_remaining=remaining_view(job.quota_remaining),
        elapsed_seconds=job.elapsed_seconds,
        job_url=job_url(job.id),
        hints=hints,
    )


def accepted_view(job: Job, *, hints: list[HintView]) -> AcceptedView:
    """Show a job that its client does not wait for (any longer)."""
    return AcceptedView(
        task_id=job.id,
        status=SEED_WORDS.get(job.state, job.state.value),
        progress=progress_view(job.progress, job.input),
        quota_remaining=remaining_view(job.quota_remaining),
        job_url=job_url(job.id),
        events_url=f"{job_url(job.id)}/events",
        hints=hints,
    )


def task_view(job: Job, language: Language, *, file_url: FileUrl) -> TaskView:
    """Show any job in the seed's words."""
    view = TaskView(
        task_id=job.id,
        status=SEED_WORDS.get(job.state, job.state.value),
        model=job.model,
        progress=progress_view(job.progress, job.input),
        quota_remaining=remaining_view(job.quota_remaining),
        job_url=job_url(job.id),
        elapsed_seconds=job.elapsed_seconds,
        error=error_view(job, language),
    )
    if not job.outputs:
        return view
    first = job.outputs[0]
    view.file_size, view.width, view.height = first.size_bytes, first.width, first.height
    view.seed = first.seed
    if job.kind is JobKind.VIDEO:
        view.video_url, view.duration, view.fps = (
            file_url(first),
            first.duration_seconds,
            first.fps,
        )
        view.poster_url = _still_urls(job, file_url).get(FileRole.POSTER)
    else:
        view.image_url = file_url(first)
        view.images = [image_view(artifact, file_url) for artifact in job.outputs]
    return view


def job_view(job: Job, language: Language, *, file_url: FileUrl) -> JobView:
    """Show any job."""
    url = job_url(job.id)
    return JobView(
        id=job.id,
        kind=job.kind.value,
        model=job.model,
        status=job.state.value,
        progress=progress_view(job.progress, job.input),
        input=_input_view(job),
        outputs=[_output_view(artifact, job, file_url=file_url) for artifact in job.outputs],
        error=error_view(job, language),
        cost=cost_view(job),
        attempts=job.attempt,
        metadata=job.metadata,
        is_cancel_requested=job.cancel_requested_at is not None,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        deadline_at=job.deadline_at,
        expires_at=job.expires_at,
        deleted_at=job.deleted_at,
        elapsed_seconds=job.elapsed_seconds,
        urls=UrlsView(self=url, cancel=f"{url}/cancel", events=f"{url}/events"),
    )


def progress_view(progress: JobProgress, given: JobInput) -> ProgressView:
    """Show how far a job is; of a storyboard also in which scene."""
    scenes = len(given.scenes) if isinstance(given, VideoInput) else 1
    per_scene = max(1, given.num_inference_steps)
    return ProgressView(
        percent=progress.percent,
        step=progress.step,
        steps=progress.steps,
        stage=progress.stage,
        queue_position=progress.queue_position,
        eta_seconds=progress.eta_seconds,
        # A scene that is being decoded has all of its steps.
        scene=min(max(1, math.ceil(progress.step / per_scene)), scenes) if scenes > 1 else None,
        scenes=scenes if scenes > 1 else None,
    )


def error_view(job: Job, language: Language) -> ErrorView | None:
    """Show why a job has no result."""
    if job.error is None:
        return None
    message = job.error.zh if language == "zh" else job.error.en
    return ErrorView(code=job.error.code, message=message)


def remaining_view(remaining: dict[str, int]) -> Remaining:
    """Show what is left today."""
    return Remaining(images=remaining["images"], videos=remaining["videos"])


def quota_reply(view: QuotaView, *, user_id: str, tier: str) -> QuotaReply:
    """Show today's quota."""
    return QuotaReply(
        user_id=user_id,
        tier=tier,
        quota=QuotasView(images=_kind_view(view.images), videos=_kind_view(view.videos)),
        quota_remaining=remaining_view(view.remaining),
        resets_at=view.resets_at,
        timezone=view.timezone,
    )


def model_view(
    spec: ModelSpec, *, catalogue: Catalogue, resident: tuple[str, ...], language: Language
) -> ModelView:
    """Show a model on offer."""
    is_zh = language == "zh"
    return ModelView(
        id=spec.id,
        title=spec.title_zh if is_zh else spec.title_en,
        description=spec.description_zh if is_zh else spec.description_en,
        knows=spec.knows_zh if is_zh else spec.knows_en,
        kinds=sorted(kind.value for kind in spec.kinds),
        is_default=spec.id in {catalogue.default_image_model, catalogue.default_video_model},
        is_loaded=spec.id in resident,
        defaults=spec.defaults,
        limits=spec.limits,
        price_micros=spec.price_micros,
        licence=spec.licence,
        licence_url=spec.licence_url,
        takes_loras=spec.lora_family is not None,
    )


def loras_view(adapters: tuple[Adapter, ...]) -> LorasView:
    """Show the adapters in the operator's folder."""
    character, style = (
        [
            LoraView(name=adapter.name, description=adapter.description)
            for adapter in adapters
            if adapter.kind == kind
        ]
        for kind in ("character", "style")
    )
    return LorasView(character=character, style=style)


def _kind_view(quota: KindQuota) -> KindQuotaView:
    return KindQuotaView(
        limit=quota.limit, used=quota.used, reserved=quota.reserved, remaining=quota.remaining
    )


def _still_urls(job: Job, file_url: FileUrl) -> dict[str, str]:
    return {file.role: file_url(file) for file in job.files if file.role != FileRole.OUTPUT}


def _output_view(artifact: Artifact, job: Job, *, file_url: FileUrl) -> OutputView:
    still = job.find_still(artifact)
    return OutputView(
        url=file_url(artifact),
        mime=artifact.mime,
        size_bytes=artifact.size_bytes,
        width=artifact.width,
        height=artifact.height,
        seed=artifact.seed,
        sha256=artifact.sha256,
        duration_seconds=artifact.duration_seconds,
        fps=artifact.fps,
        thumbnail_url=None if still is None else file_url(still),
        state=artifact.state,
    )


def _input_view(job: Job) -> InputView:
    given = job.input
    view = InputView(
        prompt=given.prompt,
        negative_prompt=given.negative_prompt,
        width=given.width,
        height=given.height,
        num_inference_steps=given.num_inference_steps,
        guidance_scale=given.guidance_scale,
        seed=given.seed,
        n=given.units,
        output_format=given.output_format,
    )
    if isinstance(given, VideoInput):
        view.fps, view.overlap = given.fps, given.overlap
        view.scenes = [
            SceneView(
                prompt=scene.prompt,
                num_frames=scene.num_frames,
                duration_seconds=round(scene.num_frames / given.fps, 3),
                has_image=scene.reference_bytes > 0,
            )
            for scene in given.scenes
        ]
    else:
        view.strength, view.loras = given.strength, list(given.loras)
        view.reference_image_type = given.reference_image_type
    return view


def cost_view(job: Job) -> CostView:
    """Show what a job took."""
    units = job.units if job.units_delivered is None else job.units_delivered
    match COST_STATES.get(job.state, "released"):
        case "reserved":
            return CostView(units=job.units, credits=0, state="reserved")
        case "captured":
            return CostView(units=units, credits=0, state="captured")
        case _:
            return CostView(units=0, credits=0, state="released")
