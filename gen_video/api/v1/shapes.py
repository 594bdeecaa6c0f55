"""The shapes that the seed's face answers with; they are what the OpenAPI document shows."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from gen_video.engines.catalogue import ModelDefaults, ModelLimits


class Remaining(BaseModel):
    """What is left today / 今日剩余."""

    images: int = Field(examples=[9])
    videos: int = Field(examples=[2])


class ImageView(BaseModel):
    """One finished picture / 一张已完成的图像."""

    image_url: str
    file_size: int = Field(description="bytes / 字节")
    width: int
    height: int
    seed: int
    mime: str
    sha256: str


class HintView(BaseModel):
    """Advice about an accepted request; it changed nothing / 建议，不影响任务."""

    code: str = Field(examples=["prompt_outside_model_world"])
    message: str
    models: list[str] = Field(description="model ids that it names / 提到的模型")


class GeneratedView(BaseModel):
    """Finished pictures; the first one's figures are repeated at the top / 生成结果."""

    task_id: str = Field(examples=["job_4bDk2Qv9sTnW1xYz8aLm3P"])
    status: Literal["completed"]
    image_url: str = Field(examples=["/api/v1/files/images/job_4bDk2Qv9sTnW1xYz8aLm3P.png"])
    file_size: int = Field(description="bytes / 字节", examples=[1234567])
    width: int = Field(examples=[1024])
    height: int = Field(examples=[1024])
    seed: int
    model: str = Field(examples=["mini"])
    quota_remaining: Remaining
    elapsed_seconds: float | None
    images: list[ImageView]
    job_url: str
    hints: list[HintView] = Field(default=[], description="mostly empty / 多数情况为空")


class VideoGeneratedView(BaseModel):
    """A finished video / 已完成的视频."""

    task_id: str = Field(examples=["job_4bDk2Qv9sTnW1xYz8aLm3P"])
    status: Literal["completed"]
    video_url: str = Field(examples=["/api/v1/files/videos/job_4bDk2Qv9sTnW1xYz8aLm3P.mp4"])
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
    poster_url: str | None = Field(description="one frame, JPEG / 封面")
    thumbnails_url: str | None = Field(description="a row of frames, JPEG / 缩略图条")
    quota_remaining: Remaining
    elapsed_seconds: float | None
    job_url: str
    hints: list[HintView] = Field(default=[], description="mostly empty / 多数情况为空")


class ProgressView(BaseModel):
    """How far a job is / 任务进度."""

    percent: float
    step: int
    steps: int
    stage: str = Field(
        description="queued, starting, loading, denoising, decoding, or an end state"
    )
    queue_position: int | None = Field(None, description="1 is next / 1 表示下一个")
    eta_seconds: float | None = None
    scene: int | None = Field(None, description="of a storyboard, from 1 / 当前分镜，从 1 起")
    scenes: int | None = Field(None, description="of a storyboard / 分镜总数")


class AcceptedView(BaseModel):
    """An accepted job that is not finished yet / 已接受、尚未完成的任务."""

    task_id: str
    status: str = Field(examples=["queued"])
    progress: ProgressView
    quota_remaining: Remaining
    job_url: str
    events_url: str
    hints: list[HintView] = Field(default=[], description="mostly empty / 多数情况为空")


class ErrorView(BaseModel):
    """Why a job has no result / 失败原因."""

    code: str
    message: str


class TaskView(BaseModel):
    """A job in the seed's words; pictures are there once it is `completed` / 任务（旧接口）."""

    task_id: str
    status: str
    model: str
    progress: ProgressView
    quota_remaining: Remaining
    job_url: str
    image_url: str | None = None
    file_size: int | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    elapsed_seconds: float | None = None
    images: list[ImageView] = []
    video_url: str | None = None
    duration: float | None = None
    fps: int | None = None
    poster_url: str | None = None
    error: ErrorView | None = None


class OutputView(BaseModel):
    """A finished file / 已完成的文件."""

    url: str
    mime: str
    size_bytes: int
    width: int
    height: int
    seed: int
    sha256: str
    duration_seconds: float | None = None
    fps: int | None = None
    thumbnail_url: str | None = Field(None, description="a small still / 缩略图")
    state: str = Field(description="live, deleted or expired")


class SceneView(BaseModel):
    """One scene of a video / 一个分镜."""

    prompt: str
    num_frames: int
    duration_seconds: float
    has_image: bool


class InputView(BaseModel):
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


class CostView(BaseModel):
    """What a job took / 费用."""

    units: int
    credits: int
    source: Literal["quota"] = "quota"
    state: Literal["reserved", "captured", "released"]


class UrlsView(BaseModel):
    """Where to go from here / 相关地址."""

    self: str
    cancel: str
    events: str


class JobView(BaseModel):
    """A job / 任务."""

    id: str
    object: Literal["job"] = "job"
    kind: str
    model: str
    status: str = Field(description="queued, running, succeeded, failed, canceled, expired")
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


class JobListView(BaseModel):
    """A page of jobs, newest first / 任务列表，由新到旧."""

    object: Literal["list"] = "list"
    data: list[JobView]
    first_id: str | None
    last_id: str | None
    has_more: bool


class KindQuotaView(BaseModel):
    """One kind's units of today / 某类配额."""

    limit: int = Field(examples=[10])
    used: int
    reserved: int = Field(description="held by unfinished jobs / 未完成任务占用")
    remaining: int


class QuotasView(BaseModel):
    """Both kinds / 两类配额."""

    images: KindQuotaView
    videos: KindQuotaView


class QuotaReply(BaseModel):
    """Today's quota / 今日配额."""

    user_id: str = Field(examples=["test_user"])
    tier: str = Field(examples=["free"])
    quota: QuotasView
    quota_remaining: Remaining
    resets_at: datetime
    timezone: str = Field(examples=["Asia/Shanghai"])


class ModelView(BaseModel):
    """A model on offer / 可用模型."""

    id: str
    title: str
    description: str
    knows: str = Field(
        description="What a small model can draw; empty: anything / 小模型的能力范围"
    )
    kinds: list[str]
    is_default: bool
    is_loaded: bool = Field(description="In memory right now / 当前已加载")
    defaults: ModelDefaults
    limits: ModelLimits
    price_micros: int = Field(
        description="Micro-credits per unit / 每张图或每段视频的价格（百万分之一点数）"
    )
    licence: str
    licence_url: str
    takes_loras: bool


class ModelListView(BaseModel):
    """The models on offer / 模型列表."""

    object: Literal["list"] = "list"
    data: list[ModelView]


class LoraView(BaseModel):
    """An adapter / 一个 LoRA."""

    name: str
    description: str


class LorasView(BaseModel):
    """The adapters in the operator's folder / 可用 LoRA."""

    character: list[LoraView]
    style: list[LoraView]
