"""The shapes that the OpenAI face answers with; `gen_video` holds what OpenAI has no word for."""

from typing import Literal

from pydantic import Field

from gen_video.api.v1.shapes import Address, CostView, HintView, View
from gen_video.engines.catalogue import TaskKind


class TokenDetails(View):
    """Always zero, as below / 恒为零."""

    image_tokens: int = 0
    text_tokens: int = 0


class UsageView(View):
    """Always zero: pictures are paid by the piece, see `gen_video.cost` / 恒为零，按张计费."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: TokenDetails = TokenDetails()
    output_tokens_details: TokenDetails = TokenDetails()


class MadeView(View):
    """What was really made, and what it cost / 实际生成的内容与费用."""

    job_id: str = Field(examples=["job_4bDk2Qv9sTnW1xYz8aLm3P"])
    job_url: Address = Field(examples=["/api/v1/jobs/job_4bDk2Qv9sTnW1xYz8aLm3P"])
    model: str = Field(description="The model that answered / 实际使用的模型")
    cost: CostView
    seed: int
    num_inference_steps: int
    guidance_scale: float
    hints: list[HintView] = Field(default=[], description="mostly empty / 多数情况为空")


class MadeVideoView(MadeView):
    """Likewise of a video / 视频."""

    fps: int
    num_frames: int
    duration_seconds: float


class DatumView(View):
    """One picture / 一张图像."""

    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = Field(None, description="Prompts are never revised / 恒为空")


class ImagesView(View):
    """Finished pictures / 生成结果."""

    created: int = Field(description="Unix seconds / Unix 秒")
    data: list[DatumView]
    background: Literal["opaque"] = "opaque"
    output_format: str
    quality: str
    size: str = Field(description="What was made / 实际尺寸", examples=["1024x1024"])
    usage: UsageView = UsageView()
    model: str
    gen_video: MadeView


class PartialImageView(View):
    """An event: a picture on the way / 事件：中间图像."""

    type: str = Field(examples=["image_generation.partial_image"])
    b64_json: str
    partial_image_index: int
    created_at: int
    background: Literal["opaque"] = "opaque"
    output_format: str = Field(description="Of these bytes / 该图像的格式")
    quality: str
    size: str = Field(description="Of these bytes / 该图像的尺寸")


class CompletedImageView(View):
    """An event: a finished picture / 事件：已完成的图像."""

    type: str = Field(examples=["image_generation.completed"])
    b64_json: str
    url: str
    created_at: int
    background: Literal["opaque"] = "opaque"
    output_format: str
    quality: str
    size: str
    usage: UsageView = UsageView()
    gen_video: MadeView


class StreamErrorDetails(View):
    """What the SDKs raise / SDK 将抛出的错误."""

    message: str
    type: str
    param: str | None = None
    code: str


class StreamJob(View):
    """Whose stream it was / 所属任务."""

    job_id: str


class StreamErrorView(View):
    """An event: why there are no pictures / 事件：失败原因."""

    type: Literal["error"] = "error"
    error: StreamErrorDetails
    gen_video: StreamJob


class VideoErrorView(View):
    """Why there is no video / 失败原因."""

    code: str
    message: str


class VideoView(View):
    """A video job / 视频任务."""

    id: str
    object: Literal["video"] = "video"
    model: str
    status: Literal["queued", "in_progress", "completed", "failed"]
    progress: int = Field(description="percent / 百分比")
    created_at: int
    completed_at: int | None
    expires_at: int | None
    prompt: str
    seconds: str = Field(description="As text / 文本", examples=["4"])
    size: str = Field(examples=["1280x720"])
    quality: Literal["standard"] = "standard"
    remixed_from_video_id: str | None
    error: VideoErrorView | None
    gen_video: MadeVideoView


class VideoListView(View):
    """A page of videos / 视频列表."""

    object: Literal["list"] = "list"
    data: list[VideoView]
    first_id: str | None
    last_id: str | None
    has_more: bool


class VideoDeletedView(View):
    """The files are erased / 文件已删除."""

    id: str
    object: Literal["video.deleted"] = "video.deleted"
    deleted: Literal[True] = True


class OfferedView(View):
    """What OpenAI has no word for / OpenAI 没有的信息."""

    title: str
    kinds: list[TaskKind]
    is_default: bool
    model: str = Field(description="The model that answers / 实际使用的模型")


class OpenAiModelView(View):
    """A model / 模型."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Always 0: not known / 恒为 0")
    owned_by: str
    gen_video: OfferedView


class OpenAiModelListView(View):
    """The models on offer / 模型列表."""

    object: Literal["list"] = "list"
    data: list[OpenAiModelView]
