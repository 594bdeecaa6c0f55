"""The shapes that the seed's face answers with; they are what the OpenAPI document shows."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gen_video.engines.catalogue import ModelDefaults, ModelLimits, TaskKind
from gen_video.generation.states import JobKind, JobState

Address = Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
"""Mostly relative to this service; absolute where files are elsewhere."""
SeedStatus = Literal["queued", "running", "completed", "failed", "canceled", "expired"]
"""The seed says `completed` where the job resource says `succeeded`."""
STAGES = [
    *("queued", "starting", "loading", "denoising", "decoding"),
    *("succeeded", "failed", "canceled", "expired"),
]
Stage = Annotated[str, Field(json_schema_extra={"enum": STAGES})]
"""Not checked: a worker of the next version may know one more."""


class View(BaseModel):
    """Every field of an answer is always there, whatever its default."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Remaining(View):
    """What is left today / 今日剩余."""

    images: int = Field(examples=[9])
    videos: int = Field(examples=[2])


class ImageView(View):
    """One finished picture / 一张已完成的图像."""

    image_url: Address
    file_size: int = Field(description="bytes / 字节")
    width: int
    height: int
    seed: int
    mime: str
    sha256: str


class HintView(View):
    """Advice about an accepted request; it changed nothing / 建议，不影响任务."""

    code: str = Field(examples=["prompt_outside_model_world"])
    message: str
    models: list[str] = Field(description="model ids that it names / 提到的模型")


class GeneratedView(View):
    """Finished pictures; the first one's figures are repeated at the top / 生成结果."""

    task_id: str = Field(examples=["job_4bDk2Qv9sTnW1xYz8aLm3P"])
    status: Literal["completed"]
    image_url: Address = Field(examples=["/api/v1/files/images/job_4bDk2Qv9sTnW1xYz8aLm3P.png"])
    file_size: int = Field(description="bytes / 字节", examples=[1234567])
    width: int = Field(examples=[1024])
    height: int = Field(examples=[1024])
    seed: int
    model: str = Field(examples=["mini"])
    quota_remaining: Remaining
    elapsed_seconds: float | None
    images: list[ImageView]
    job_url: Address
    hints: list[HintView] = Field(default=[], description="mostly empty / 多数情况为空")


class VideoGeneratedView(View):
    """A finished video / 已完成的视频."""

    task_id: str = Field(examples=["job_4bDk2Qv9sTnW1xYz8aLm3P"])
    status: Literal["completed"]
    video_url: Address = Field(examples=["/api/v1/files/videos/job_4bDk2Qv9sTnW1xYz8aLm3P.mp4"])
    file_size: int = Field(description="bytes / 字节", examples=[1234567])
    duration: float = Field(description="seconds / 秒", examples=[3.0])
    num_frames: int
    fps: int
    width: int
    height: int
    seed: int
    model: str
    mime: str = Field(examples=["video/mp4"])
    sha256: str
    poster_url: Address | None = Field(description="one frame, JPEG / 封面")
    thumbnails_url: Address | None = Field(description="a row of frames, JPEG / 缩略图条")
    quota_remaining: Remaining
    elapsed_seconds: float | None
    job_url: Address
    hints: list[HintView] = Field(default=[], description="mostly empty / 多数情况为空")


class ProgressView(View):
    """How far a job is / 任务进度."""

    percent: float
    step: int
    steps: int
    stage: Stage
    queue_position: int | None = Field(None, description="1 is next / 1 表示下一个")
    eta_seconds: float | None = None
    scene: int | None = Field(None, description="of a storyboard, from 1 / 当前分镜，从 1 起")
    scenes: int | None = Field(None, description="of a storyboard / 分镜总数")


class AcceptedView(View):
    """An accepted job that is not finished yet / 已接受、尚未完成的任务."""

    task_id: str
    status: SeedStatus
    progress: ProgressView
    quota_remaining: Remaining
    job_url: Address
    events_url: Address
    hints: list[HintView] = Field(default=[], description="mostly empty / 多数情况为空")


class ErrorView(View):
    """Why a job has no result / 失败原因."""

    code: str
    message: str


class TaskView(View):
    """A job in the seed's words; pictures are there once it is `completed` / 任务（旧接口）."""

    task_id: str
    status: SeedStatus
    model: str
    progress: ProgressView
    quota_remaining: Remaining
    job_url: Address
    image_url: Address | None = None
    file_size: int | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    elapsed_seconds: float | None = None
    images: list[ImageView] = []
    video_url: Address | None = None
    duration: float | None = None
    fps: int | None = None
    poster_url: Address | None = None
    error: ErrorView | None = None


class OutputView(View):
    """A finished file / 已完成的文件."""

    url: Address
    mime: str
    size_bytes: int
    width: int
    height: int
    seed: int
    sha256: str
    duration_seconds: float | None = None
    fps: int | None = None
    thumbnail_url: Address | None = Field(None, description="a small still / 缩略图")
    state: Literal["live", "deleted", "expired"]


class SceneView(View):
    """One scene of a video / 一个分镜."""

    prompt: str
    num_frames: int
    duration_seconds: float
    has_image: bool


class InputView(View):
    """The request as it was resolved: nothing is left to a default / 解析后的完整参数.

    `strength`, `reference_image_type` and `loras` are of pictures, `fps`, `scenes` and `overlap` of
    videos.
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
    strength: float | None = None
    reference_image_type: str | None = None
    loras: list[str] = []
    fps: int | None = None
    scenes: list[SceneView] = []
    overlap: int | None = Field(None, description="frames of a cross-fade / 转场重叠帧数")


class CostView(View):
    """What a job took / 费用."""

    units: int
    credits: int
    source: Literal["quota"] = "quota"
    state: Literal["reserved", "captured", "released"]


class UrlsView(View):
    """Where to go from here / 相关地址."""

    self: Address
    cancel: Address
    events: Address


class JobView(View):
    """A job / 任务."""

    id: str
    object: Literal["job"] = "job"
    kind: JobKind
    model: str
    status: JobState
    progress: ProgressView
    input: InputView
    outputs: list[OutputView]
    error: ErrorView | None
    cost: CostView
    attempts: int
    metadata: dict[str, str]
    is_cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime
    expires_at: datetime | None = Field(description="when its files go / 文件过期时间")
    deleted_at: datetime | None
    elapsed_seconds: float | None
    urls: UrlsView


class JobListView(View):
    """A page of jobs, newest first / 任务列表，由新到旧."""

    object: Literal["list"] = "list"
    data: list[JobView]
    first_id: str | None
    last_id: str | None
    has_more: bool


class KindQuotaView(View):
    """One kind's units of today / 某类配额."""

    limit: int = Field(examples=[10])
    used: int
    reserved: int = Field(description="held by unfinished jobs / 未完成任务占用")
    remaining: int


class QuotasView(View):
    """Both kinds / 两类配额."""

    images: KindQuotaView
    videos: KindQuotaView


class QuotaReply(View):
    """Today's quota / 今日配额."""

    user_id: str = Field(examples=["test_user"])
    tier: str = Field(examples=["free"])
    quota: QuotasView
    quota_remaining: Remaining
    resets_at: datetime
    timezone: str = Field(examples=["Asia/Shanghai"])


class ModelView(View):
    """A model on offer / 可用模型."""

    id: str
    title: str
    description: str
    knows: str = Field(
        description="What a small model can draw; empty: anything / 小模型的能力范围"
    )
    kinds: list[TaskKind]
    is_default: bool
    is_loaded: bool = Field(description="In memory right now / 当前已加载")
    defaults: ModelDefaults
    limits: ModelLimits
    price_micros: int = Field(
        description="Micro-credits per unit / 每张图或每段视频的价格（百万分之一点数）"
    )
    licence: str
    licence_url: Address
    takes_loras: bool


class ModelListView(View):
    """The models on offer / 模型列表."""

    object: Literal["list"] = "list"
    data: list[ModelView]


class LoraView(View):
    """An adapter / 一个 LoRA."""

    name: str
    description: str


class LorasView(View):
    """The adapters in the operator's folder / 可用 LoRA."""

    character: list[LoraView]
    style: list[LoraView]
