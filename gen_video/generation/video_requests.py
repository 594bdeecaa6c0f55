"""From what a client wrote to a film that an engine will be asked for: scenes, frames, limits.

Pure: the cost of a request is known and capped here, before any work.
"""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from gen_video.accounts.models import Plan
from gen_video.engines.catalogue import Catalogue, ModelSpec, TaskKind
from gen_video.engines.sizes import choose_sampling_size
from gen_video.errors import FieldProblem, InvalidRequestError, ServiceError
from gen_video.generation.checks import (
    MAX_PREVIEWS,
    MAX_SEED,
    given_or,
    has_visible_text,
    metadata_problems,
    outside,
    outside_problems,
    problem,
    size_problems,
    text_problems,
)
from gen_video.generation.models import SceneInput, VideoInput
from gen_video.generation.requests import fingerprint_of
from gen_video.generation.shares import Priority
from gen_video.generation.states import JobKind

MAX_SCENES = 10
MAX_TOTAL_FRAMES = 4000
FADE_SECONDS = 0.5


class VideoFileFormat(StrEnum):
    """File formats that a video can be delivered in."""

    MP4 = "mp4"
    WEBM = "webm"
    GIF = "gif"
    WEBP = "webp"


class Transition(StrEnum):
    """How one scene becomes the next."""

    CUT = "cut"
    CROSSFADE = "crossfade"


class VideoUnavailableError(ServiceError):
    """No model on offer makes videos."""

    code = "video_not_available"
    status = 501
    message_en = (
        "No video model is enabled here; pictures work. The operator can enable one: "
        "gen-video models list. No quota was used."
    )
    message_zh = (
        "此服务未启用视频模型，图像生成可用。管理员可启用：gen-video models list。未扣除任何配额。"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneRequest:
    """One scene as a client asked for it; None means "the default".

    Attributes:
        image_source: A hash of what the client named as the first frame: the text, or the file
            that it sent. The same request names the same source, whatever that gives later.
        image_bytes: How long the stored first frame is; known once it has been read.
    """

    prompt: str | None = None
    num_frames: int | None = None
    duration: float | None = None
    image_source: str | None = None
    image_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """What a client asked for; None means "the model's default".

    A plain request has one scene; `is_storyboard` tells that the client listed its scenes itself.

    Attributes:
        previews: How many pictures of the unfinished work are wanted, spread over the steps.
        webhook_url: Told when the job ends, in place of the account's own endpoints.
        remixed_from: The job whose video this one varies.
    """

    scenes: tuple[SceneRequest, ...]
    is_storyboard: bool = False
    prompt: str | None = None
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None
    fps: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None
    model: str | None = None
    output_format: str = VideoFileFormat.MP4
    transition: str = Transition.CUT
    metadata: dict[str, str] = field(default_factory=dict)
    priority: str = Priority.INTERACTIVE
    previews: int = 0
    webhook_url: str | None = None
    remixed_from: str | None = None

    @property
    def kind(self) -> JobKind:
        """Return what a job of this request makes."""
        return JobKind.VIDEO

    def fingerprint(self) -> str:
        """Return a hash over the parsed fields: equal requests have equal fingerprints."""
        fields = asdict(self)
        for scene in fields["scenes"]:
            del scene["image_bytes"]
        return fingerprint_of(fields)

    def with_references(self, sizes: Sequence[int]) -> "VideoRequest":
        """Return the request with the lengths of its first frames, 0 for a scene without one."""
        scenes = tuple(
            replace(scene, image_bytes=size) for scene, size in zip(self.scenes, sizes, strict=True)
        )
        return replace(self, scenes=scenes)


def resolve_video(request: VideoRequest, *, catalogue: Catalogue, plan: Plan) -> VideoInput:
    """Fill in the model's defaults and check every limit.

    Args:
        request: As the client wrote it.
        catalogue: The models on offer.
        plan: The caller's plan, for its caps.

    Raises:
        VideoUnavailableError: No model makes videos.
        UnknownModelError: No such model.
        InvalidRequestError: Names every field that is wrong, and what would be right.
    """
    model_id = request.model or catalogue.default_video_model
    if not model_id:
        raise VideoUnavailableError
    spec = catalogue.get(model_id)
    if not spec.makes_videos:
        raise InvalidRequestError(_makes_no_videos(spec))
    limits = spec.limits
    asked = given_or(request.fps, spec.defaults.fps)
    # Durations are judged at a rate that the model has, whatever was asked for.
    fps = min(max(asked, limits.min_fps), limits.max_fps)
    resolved = _fill(request, spec, fps=fps)
    problems = [
        *_scene_count_problems(request),
        *_text_problems(request, spec),
        *outside_problems(("fps", asked, limits.min_fps, limits.max_fps)),
        *_frames_problems(request, spec, fps=fps),
        *size_problems(resolved.width, resolved.height, spec),
        *_range_problems(resolved, spec),
        *_image_problems(request, spec),
        *metadata_problems(request.metadata),
    ]
    if not problems:
        problems = _work_problems(resolved, spec, plan)
    if problems:
        raise InvalidRequestError(*problems)
    return resolved


def work_of(resolved: VideoInput, spec: ModelSpec) -> int:
    """Return width x height x steps x frames of all scenes, the measure of cost.

    The size is the one that the model samples at.
    """
    width, height = choose_sampling_size((resolved.width, resolved.height), spec.native_sizes)
    frames = sum(scene.num_frames for scene in resolved.scenes)
    return width * height * resolved.num_inference_steps * frames


def choose_overlap(counts: list[int], *, fps: int) -> int:
    """Return how many frames neighbours share in a cross-fade of half a second, 0 for none.

    A scene in the middle fades twice, so short scenes fade for less.
    """
    if len(counts) < 2:  # noqa: PLR2004 - a fade takes two
        return 0
    return min(round(FADE_SECONDS * fps), min(counts) // 2)


def _fill(request: VideoRequest, spec: ModelSpec, *, fps: int) -> VideoInput:
    defaults = spec.defaults
    scenes = tuple(
        SceneInput(
            prompt=given_or(scene.prompt, request.prompt or ""),
            num_frames=_frames_of(scene, spec, fps=fps),
            reference_bytes=scene.image_bytes,
        )
        for scene in request.scenes
    )
    fades = request.transition == Transition.CROSSFADE
    return VideoInput(
        prompt=request.prompt or next((scene.prompt for scene in scenes if scene.prompt), ""),
        negative_prompt=given_or(request.negative_prompt, defaults.negative_prompt),
        width=given_or(request.width, defaults.width),
        height=given_or(request.height, defaults.height),
        fps=fps,
        num_inference_steps=given_or(request.num_inference_steps, defaults.num_inference_steps),
        guidance_scale=given_or(request.guidance_scale, defaults.guidance_scale),
        seed=secrets.randbelow(2**31) if request.seed is None else request.seed,
        model=spec.id,
        output_format=request.output_format,
        scenes=scenes,
        overlap=choose_overlap([scene.num_frames for scene in scenes], fps=fps) if fades else 0,
        previews=request.previews,
        remixed_from=request.remixed_from,
    )


def _frames_of(scene: SceneRequest, spec: ModelSpec, *, fps: int) -> int:
    if scene.num_frames is not None:
        return scene.num_frames
    if scene.duration is not None:
        return spec.limits.nearest_frames(scene.duration * fps)
    return spec.defaults.num_frames


def _makes_no_videos(spec: ModelSpec) -> FieldProblem:
    return problem(
        "/model",
        "not_supported_by_model",
        en=f"{spec.id} makes pictures, not videos; use POST /api/v1/images/generate",
        zh=f"{spec.id} 用于生成图像，不生成视频，请使用 POST /api/v1/images/generate",
    )


def _scene_count_problems(request: VideoRequest) -> list[FieldProblem]:
    if 1 <= len(request.scenes) <= MAX_SCENES:
        return []
    return [outside("scenes", len(request.scenes), 1, MAX_SCENES)]


def _pointer(request: VideoRequest, index: int, name: str) -> str:
    return f"/scenes/{index}/{name}" if request.is_storyboard else f"/{name}"


def _text_problems(request: VideoRequest, spec: ModelSpec) -> list[FieldProblem]:
    limit = spec.limits.max_prompt_characters
    problems = text_problems("/negative_prompt", request.negative_prompt or "", limit=limit)
    if request.is_storyboard:
        problems += text_problems("/prompt", request.prompt or "", limit=limit)
    for index, scene in enumerate(request.scenes):
        pointer = _pointer(request, index, "prompt")
        text = given_or(scene.prompt, request.prompt or "")
        found = text_problems(pointer, text, limit=limit)
        problems += found
        # Looking for something to read in a text that is too long would take far too long.
        if not found and scene.image_source is None and not has_visible_text(text):
            problems.append(
                problem(
                    pointer,
                    "prompt_empty",
                    en="a prompt must say what to show, or an image must be given",
                    zh="请在 prompt 中描述要生成的内容，或提供 image",
                )
            )
    return problems


def _frames_problems(request: VideoRequest, spec: ModelSpec, *, fps: int) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for index, scene in enumerate(request.scenes):
        if scene.num_frames is not None and scene.duration is not None:
            pointer = _pointer(request, index, "duration")
            problems.append(
                problem(
                    pointer,
                    "given_twice",
                    en="give num_frames or duration, not both",
                    zh="num_frames 与 duration 只能给出一个",
                )
            )
        elif scene.num_frames is not None:
            problems += _one_count(request, index, scene.num_frames, spec)
        elif scene.duration is not None:
            problems += _one_duration(request, index, scene.duration, spec, fps=fps)
    total = sum(_frames_of(scene, spec, fps=fps) for scene in request.scenes)
    if not problems and total > MAX_TOTAL_FRAMES:
        problems.append(_too_many_frames(request, total))
    return problems


def _too_many_frames(request: VideoRequest, total: int) -> FieldProblem:
    return problem(
        "/scenes" if request.is_storyboard else "/num_frames",
        "too_many_frames",
        en=(
            f"the scenes have {total} frames together, at most {MAX_TOTAL_FRAMES} are allowed; "
            "ask for fewer or shorter scenes, or a lower fps"
        ),
        zh=(
            f"所有分镜共 {total} 帧，最多允许 {MAX_TOTAL_FRAMES} 帧；请减少分镜、缩短时长或降低帧率"
        ),
    )


def _one_count(
    request: VideoRequest, index: int, count: int, spec: ModelSpec
) -> list[FieldProblem]:
    limits = spec.limits
    pointer = _pointer(request, index, "num_frames")
    low, high = limits.nearest_frames(1), limits.nearest_frames(limits.max_frames)
    if not low <= count <= high:
        return [outside(pointer.lstrip("/"), count, low, high)]
    nearest = limits.nearest_frames(count)
    if nearest == count:
        return []
    return [
        problem(
            pointer,
            "not_a_multiple",
            en=(
                f"{spec.id} makes {limits.frames_step} x k + 1 frames; "
                f"the nearest good number is {nearest}"
            ),
            zh=f"{spec.id} 的帧数须为 {limits.frames_step}×k+1，最接近的有效值是 {nearest}",
        )
    ]


def _one_duration(
    request: VideoRequest, index: int, seconds: float, spec: ModelSpec, *, fps: int
) -> list[FieldProblem]:
    limits = spec.limits
    low, high = limits.nearest_frames(1), limits.nearest_frames(limits.max_frames)
    # Rounded to what the model makes: half a step more than its longest still means the longest.
    if seconds > 0 and seconds * fps <= high + limits.frames_step / 2:
        return []
    name = _pointer(request, index, "duration").lstrip("/")
    return [outside(name, seconds, round(low / fps, 3), round(high / fps, 3))]


def _range_problems(resolved: VideoInput, spec: ModelSpec) -> list[FieldProblem]:
    limits = spec.limits
    return outside_problems(
        ("num_inference_steps", resolved.num_inference_steps, limits.min_steps, limits.max_steps),
        ("guidance_scale", resolved.guidance_scale, 0.0, limits.max_guidance_scale),
        ("seed", resolved.seed, 0, MAX_SEED),
        ("previews", resolved.previews, 0, MAX_PREVIEWS),
    )


def _image_problems(request: VideoRequest, spec: ModelSpec) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for index, scene in enumerate(request.scenes):
        pointer = _pointer(request, index, "image")
        if scene.image_source is not None and TaskKind.IMAGE_TO_VIDEO not in spec.kinds:
            problems.append(
                problem(
                    pointer,
                    "not_supported_by_model",
                    en=f"{spec.id} does not start from an image; choose another model",
                    zh=f"{spec.id} 不支持以图像为首帧，请选择其他模型",
                )
            )
        if scene.image_source is None and TaskKind.TEXT_TO_VIDEO not in spec.kinds:
            problems.append(
                problem(
                    pointer,
                    "image_required",
                    en=f"{spec.id} needs an image to start from; give one in image",
                    zh=f"{spec.id} 需要首帧图像，请通过 image 提供",
                )
            )
    return problems


def _work_problems(resolved: VideoInput, spec: ModelSpec, plan: Plan) -> list[FieldProblem]:
    work = work_of(resolved, spec)
    if work <= plan.max_video_work:
        return []
    return [
        problem(
            "/num_inference_steps",
            "work_limit_exceeded",
            en=(
                f"width x height x steps x frames is {work}, your plan allows "
                f"{plan.max_video_work}; ask for a smaller size, fewer steps or a shorter video"
            ),
            zh=(
                f"宽×高×步数×帧数为 {work}，您的套餐上限为 {plan.max_video_work}；"
                "请减小尺寸、步数或时长"
            ),
        )
    ]
