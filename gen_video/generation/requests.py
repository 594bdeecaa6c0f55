"""From what a client wrote to what an engine will be asked for: defaults, limits, fingerprint.

Pure: the cost of a request is known and capped here, before any work.
"""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from gen_video.accounts.models import Plan
from gen_video.engines.catalogue import Catalogue, ModelSpec
from gen_video.errors import FieldProblem, InvalidRequestError
from gen_video.generation.checks import (
    MAX_PREVIEWS,
    MAX_SEED,
    given_or,
    has_visible_text,
    metadata_problems,
    outside_problems,
    problem,
    size_problems,
    text_problems,
)
from gen_video.generation.edit_checks import choose_strength, reference_problems
from gen_video.generation.models import ImageInput
from gen_video.generation.shares import Priority
from gen_video.generation.states import JobKind

MAX_COMPRESSION = 100
LATER_FIELDS: dict[str, object] = {
    "priority": Priority.INTERACTIVE,
    "more_sha256": (),
    "mask_sha256": None,
    "output_compression": None,
    "previews": 0,
    "webhook_url": None,
    "remixed_from": None,
}
"""Fields that requests of the first release did not have, and what they are when unset."""


class OutputFormat(StrEnum):
    """File formats that a picture can be delivered in."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What a client asked for; None means "the model's default".

    Attributes:
        reference_sha256: Of the first reference picture, the one that is edited.
        more_sha256: Of further pictures, in order.
        mask_sha256: Of the mask: white where the first picture is to be drawn anew.
        reference_bytes: How long each stored picture is, in order; empty for a single one.
        mask_bytes: How long the stored mask is; it lies behind the pictures.
        output_compression: Quality of a JPEG or WebP file, 0 to 100.
        previews: How many pictures of the unfinished work are wanted, spread over the steps.
        webhook_url: Told when the job ends, in place of the account's own endpoints.
    """

    prompt: str
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None
    n: int = 1
    model: str | None = None
    output_format: str = OutputFormat.PNG
    strength: float | None = None
    reference_sha256: str | None = None
    reference_image_type: str | None = None
    character_lora: str | None = None
    style_lora: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    priority: str = Priority.INTERACTIVE
    more_sha256: tuple[str, ...] = ()
    mask_sha256: str | None = None
    reference_bytes: tuple[int, ...] = ()
    mask_bytes: int = 0
    output_compression: int | None = None
    previews: int = 0
    webhook_url: str | None = None

    @property
    def kind(self) -> JobKind:
        """Return what a job of this request makes."""
        return JobKind.IMAGE

    def fingerprint(self) -> str:
        """Return a hash over the parsed fields: equal requests have equal fingerprints."""
        fields = asdict(self)
        del fields["reference_bytes"], fields["mask_bytes"]
        return fingerprint_of(fields)


def fingerprint_of(fields: dict[str, object]) -> str:
    """Return a hash over a request's fields; one that was added later counts only where it is set.

    So requests that clients repeat across an upgrade keep their fingerprints.
    """
    counting = {name: value for name, value in fields.items() if not _is_unset(name, value)}
    canonical = json.dumps(counting, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _is_unset(name: str, value: object) -> bool:
    return name in LATER_FIELDS and value == LATER_FIELDS[name]


def resolve_image(
    request: ImageRequest,
    *,
    catalogue: Catalogue,
    plan: Plan,
    adapters: frozenset[str] = frozenset(),
) -> ImageInput:
    """Fill in the model's defaults and check every limit.

    Args:
        request: As the client wrote it.
        catalogue: The models on offer.
        plan: The caller's plan, for its caps.
        adapters: Names of the LoRA adapters in the configured folder.

    Raises:
        UnknownModelError: No such model.
        InvalidRequestError: Names every field that is wrong, and what would be right.
    """
    spec = catalogue.get(request.model or catalogue.default_image_model)
    if not spec.makes_pictures:
        raise InvalidRequestError(_makes_no_pictures(spec))
    resolved = _fill(request, spec)
    problems = [
        *_prompt_problems(request, spec),
        *size_problems(resolved.width, resolved.height, spec),
        *_range_problems(resolved, spec, plan),
        *reference_problems(request, spec, catalogue),
        *_adapter_problems(request, spec, adapters),
        *metadata_problems(request.metadata),
        *_format_problems(request),
    ]
    if not problems:
        problems = _work_problems(resolved, plan)
    if problems:
        raise InvalidRequestError(*problems)
    return resolved


def _makes_no_pictures(spec: ModelSpec) -> FieldProblem:
    return problem(
        "/model",
        "not_supported_by_model",
        en=f"{spec.id} makes videos, not pictures; use POST /api/v1/videos/generate",
        zh=f"{spec.id} 用于生成视频，不生成图像，请使用 POST /api/v1/videos/generate",
    )


def work_of(resolved: ImageInput) -> int:
    """Return width x height x steps x pictures, the measure of cost."""
    return resolved.width * resolved.height * resolved.num_inference_steps * resolved.n


def _fill(request: ImageRequest, spec: ModelSpec) -> ImageInput:
    defaults = spec.defaults
    has_reference = request.reference_sha256 is not None
    return ImageInput(
        prompt=request.prompt,
        negative_prompt=given_or(request.negative_prompt, defaults.negative_prompt),
        width=given_or(request.width, defaults.width),
        height=given_or(request.height, defaults.height),
        num_inference_steps=given_or(request.num_inference_steps, defaults.num_inference_steps),
        guidance_scale=given_or(request.guidance_scale, defaults.guidance_scale),
        seed=secrets.randbelow(2**31) if request.seed is None else request.seed,
        n=request.n,
        output_format=request.output_format,
        model=spec.id,
        strength=choose_strength(request, spec) if has_reference else None,
        reference_image_type=request.reference_image_type,
        loras=tuple(name for name in (request.character_lora, request.style_lora) if name),
        reference_bytes=request.reference_bytes,
        mask_bytes=request.mask_bytes,
        output_compression=request.output_compression,
        previews=request.previews,
    )


def _prompt_problems(request: ImageRequest, spec: ModelSpec) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    if not has_visible_text(request.prompt):
        problems.append(
            problem(
                "/prompt",
                "prompt_empty",
                en="prompt must say what to draw",
                zh="prompt 不能为空，请描述要画的内容",
            )
        )
    limit = spec.limits.max_prompt_characters
    for name, text in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt)):
        problems += text_problems(f"/{name}", text or "", limit=limit)
    return problems


def _range_problems(resolved: ImageInput, spec: ModelSpec, plan: Plan) -> list[FieldProblem]:
    limits = spec.limits
    strength = 1.0 if resolved.strength is None else resolved.strength
    return outside_problems(
        ("num_inference_steps", resolved.num_inference_steps, limits.min_steps, limits.max_steps),
        ("guidance_scale", resolved.guidance_scale, 0.0, limits.max_guidance_scale),
        ("seed", resolved.seed, 0, MAX_SEED),
        ("n", resolved.n, 1, min(limits.max_n, plan.max_pictures)),
        ("strength", strength, 0.01, 1.0),
        ("previews", resolved.previews, 0, MAX_PREVIEWS),
    )


def _adapter_problems(
    request: ImageRequest, spec: ModelSpec, adapters: frozenset[str]
) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    for name in ("character_lora", "style_lora"):
        adapter = getattr(request, name)
        if adapter is None:
            continue
        if spec.lora_family is None:
            problems.append(
                problem(
                    f"/{name}",
                    "not_supported_by_model",
                    en=f"{spec.id} takes no LoRA adapters; choose another model",
                    zh=f"{spec.id} 不支持 LoRA，请选择其他模型",
                )
            )
        elif adapter not in adapters:
            problems.append(
                problem(
                    f"/{name}",
                    "unknown_adapter",
                    en="there is no adapter of that name; GET /api/v1/loras lists them",
                    zh="没有该名称的 LoRA，可通过 GET /api/v1/loras 查看",
                )
            )
    return problems


def _format_problems(request: ImageRequest) -> list[FieldProblem]:
    if request.output_format not in list(OutputFormat):
        return [
            problem(
                "/output_format",
                "unknown_value",
                en="output_format must be png, jpeg or webp",
                zh="output_format 只能是 png、jpeg 或 webp",
            )
        ]
    if request.output_compression is None:
        return []
    if request.output_format == OutputFormat.PNG:
        return [
            problem(
                "/output_compression",
                "needs_lossy_format",
                en="output_compression is for jpeg and webp; set output_format, or leave it out",
                zh="output_compression 仅用于 jpeg 和 webp，请设置 output_format 或去掉该字段",
            )
        ]
    return outside_problems(("output_compression", request.output_compression, 0, MAX_COMPRESSION))


def _work_problems(resolved: ImageInput, plan: Plan) -> list[FieldProblem]:
    work = work_of(resolved)
    if work <= plan.max_work:
        return []
    return [
        problem(
            "/num_inference_steps",
            "work_limit_exceeded",
            en=(
                f"width x height x steps x n is {work}, your plan allows {plan.max_work}; "
                "ask for a smaller size, fewer steps or fewer pictures"
            ),
            zh=(
                f"宽×高×步数×数量为 {work}，您的套餐上限为 {plan.max_work}；请减小尺寸、步数或数量"
            ),
        )
    ]
