"""From what a client wrote to what an engine will be asked for: defaults, limits, fingerprint.

Pure: the cost of a request is known and capped here, before any work.
"""

import hashlib
import json
import math
import secrets
import unicodedata
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TypeVar

from gen_video.accounts.models import Plan
from gen_video.engines.catalogue import Catalogue, ModelSpec, TaskKind
from gen_video.errors import FieldProblem, InvalidRequestError
from gen_video.generation.models import ImageInput

MAX_SEED = 2**32 - 1
MAX_METADATA_ENTRIES = 16
MAX_METADATA_CHARACTERS = 512
Value = TypeVar("Value")

ALLOWED_CONTROLS = frozenset("\n\r\t")
REFERENCE_TYPES = ("scene", "face")


class OutputFormat(StrEnum):
    """File formats that a picture can be delivered in."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """What a client asked for; None means "the model's default"."""

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

    def fingerprint(self) -> str:
        """Return a hash over the parsed fields: equal requests have equal fingerprints."""
        canonical = json.dumps(asdict(self), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


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
    resolved = _fill(request, spec)
    problems = [
        *_text_problems(request, spec),
        *_size_problems(resolved, spec),
        *_range_problems(resolved, spec, plan),
        *_reference_problems(request, spec),
        *_adapter_problems(request, spec, adapters),
        *_metadata_problems(request),
        *_format_problems(request),
    ]
    if not problems:
        problems = _work_problems(resolved, plan)
    if problems:
        raise InvalidRequestError(*problems)
    return resolved


def work_of(resolved: ImageInput) -> int:
    """Return width x height x steps x pictures, the measure of cost."""
    return resolved.width * resolved.height * resolved.num_inference_steps * resolved.n


def _fill(request: ImageRequest, spec: ModelSpec) -> ImageInput:
    defaults = spec.defaults
    has_reference = request.reference_sha256 is not None
    strength = defaults.strength if request.strength is None else request.strength
    return ImageInput(
        prompt=request.prompt,
        negative_prompt=_or(request.negative_prompt, defaults.negative_prompt),
        width=_or(request.width, defaults.width),
        height=_or(request.height, defaults.height),
        num_inference_steps=_or(request.num_inference_steps, defaults.num_inference_steps),
        guidance_scale=_or(request.guidance_scale, defaults.guidance_scale),
        seed=secrets.randbelow(2**31) if request.seed is None else request.seed,
        n=request.n,
        output_format=request.output_format,
        model=spec.id,
        strength=strength if has_reference else None,
        reference_image_type=request.reference_image_type,
        loras=tuple(name for name in (request.character_lora, request.style_lora) if name),
    )


def _or(given: Value | None, default: Value) -> Value:
    return default if given is None else given


def _problem(pointer: str, code: str, *, en: str, zh: str) -> FieldProblem:
    return FieldProblem(pointer=pointer, code=code, en=en, zh=zh)


def _text_problems(request: ImageRequest, spec: ModelSpec) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    if not has_visible_text(request.prompt):
        problems.append(
            _problem(
                "/prompt",
                "prompt_empty",
                en="prompt must say what to draw",
                zh="prompt 不能为空，请描述要画的内容",
            )
        )
    limit = spec.limits.max_prompt_characters
    for name, text in (("prompt", request.prompt), ("negative_prompt", request.negative_prompt)):
        problems += _one_text(f"/{name}", text or "", limit=limit)
    return problems


def _one_text(pointer: str, text: str, *, limit: int) -> list[FieldProblem]:
    name = pointer.lstrip("/")
    if len(text) > limit:
        return [
            _problem(
                pointer,
                "text_too_long",
                en=f"{name} has {len(text)} characters, at most {limit} are allowed",
                zh=f"{name} 共 {len(text)} 个字符，最多允许 {limit} 个",
            )
        ]
    bad = find_forbidden_character(text)
    if bad is not None:
        return [
            _problem(
                pointer,
                "forbidden_character",
                en=f"{name} contains the control character U+{ord(bad):04X}; remove it",
                zh=f"{name} 含有控制字符 U+{ord(bad):04X}，请删除",
            )
        ]
    return []


def has_visible_text(text: str) -> bool:
    """Tell whether a text has any character that is not blank, a control or invisible."""
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)


def find_forbidden_character(text: str) -> str | None:
    """Return the first control character or lone surrogate, None for clean text."""
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs" or (category == "Cc" and character not in ALLOWED_CONTROLS):
            return character
    return None


def _size_problems(resolved: ImageInput, spec: ModelSpec) -> list[FieldProblem]:
    limits = spec.limits
    problems = [
        *_one_side("width", resolved.width, limits.min_width, limits.max_width, spec),
        *_one_side("height", resolved.height, limits.min_height, limits.max_height, spec),
    ]
    pixels = resolved.width * resolved.height
    if not problems and pixels > limits.max_pixels:
        problems.append(
            _problem(
                "/width",
                "too_many_pixels",
                en=f"width x height is {pixels}, {spec.id} allows {limits.max_pixels}",
                zh=f"宽×高为 {pixels}，{spec.id} 最多允许 {limits.max_pixels}",
            )
        )
    return problems


def _one_side(name: str, value: int, low: int, high: int, spec: ModelSpec) -> list[FieldProblem]:
    if not low <= value <= high:
        return [_outside(name, value, low, high)]
    multiple = spec.limits.multiple_of
    if value % multiple:
        nearest = nearest_multiple(value, multiple, low=low, high=high)
        return [
            _problem(
                f"/{name}",
                "not_a_multiple",
                en=f"{name} must be a multiple of {multiple}; the nearest good one is {nearest}",
                zh=f"{name} 必须是 {multiple} 的倍数，最接近的有效值是 {nearest}",
            )
        ]
    return []


def nearest_multiple(value: int, multiple: int, *, low: int, high: int) -> int:
    """Return the multiple nearest to a value that lies within the limits."""
    lowest = math.ceil(low / multiple) * multiple
    highest = high // multiple * multiple
    return min(max(round(value / multiple) * multiple, lowest), highest)


def _outside(name: str, value: float, low: float, high: float) -> FieldProblem:
    return _problem(
        f"/{name}",
        "out_of_range",
        en=f"{name} is {value}, it must be from {low} to {high}",
        zh=f"{name} 为 {value}，允许范围是 {low} 到 {high}",
    )


def _range_problems(resolved: ImageInput, spec: ModelSpec, plan: Plan) -> list[FieldProblem]:
    limits = spec.limits
    strength = 1.0 if resolved.strength is None else resolved.strength
    checks: tuple[tuple[str, float, float, float], ...] = (
        ("num_inference_steps", resolved.num_inference_steps, limits.min_steps, limits.max_steps),
        ("guidance_scale", resolved.guidance_scale, 0.0, limits.max_guidance_scale),
        ("seed", resolved.seed, 0, MAX_SEED),
        ("n", resolved.n, 1, min(limits.max_n, plan.max_pictures)),
        ("strength", strength, 0.01, 1.0),
    )
    return [
        _outside(name, value, low, high)
        for name, value, low, high in checks
        if not low <= value <= high
    ]


def _reference_problems(request: ImageRequest, spec: ModelSpec) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    if request.reference_sha256 is not None and TaskKind.IMAGE_TO_IMAGE not in spec.kinds:
        problems.append(
            _problem(
                "/reference_image",
                "not_supported_by_model",
                en=f"{spec.id} does not take a reference image; choose another model",
                zh=f"{spec.id} 不支持参考图，请选择其他模型",
            )
        )
    if request.reference_sha256 is None and request.strength is not None:
        problems.append(
            _problem(
                "/strength",
                "needs_reference_image",
                en="strength only has a meaning together with reference_image",
                zh="strength 需要与 reference_image 一起使用",
            )
        )
    kind = request.reference_image_type
    if kind is not None and kind not in REFERENCE_TYPES:
        problems.append(
            _problem(
                "/reference_image_type",
                "unknown_value",
                en="reference_image_type must be scene or face",
                zh="reference_image_type 只能是 scene 或 face",
            )
        )
    return problems


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
                _problem(
                    f"/{name}",
                    "not_supported_by_model",
                    en=f"{spec.id} takes no LoRA adapters; choose another model",
                    zh=f"{spec.id} 不支持 LoRA，请选择其他模型",
                )
            )
        elif adapter not in adapters:
            problems.append(
                _problem(
                    f"/{name}",
                    "unknown_adapter",
                    en="there is no adapter of that name; GET /api/v1/loras lists them",
                    zh="没有该名称的 LoRA，可通过 GET /api/v1/loras 查看",
                )
            )
    return problems


def _metadata_problems(request: ImageRequest) -> list[FieldProblem]:
    entries = request.metadata
    is_small = len(entries) <= MAX_METADATA_ENTRIES and all(
        len(text) <= MAX_METADATA_CHARACTERS for pair in entries.items() for text in pair
    )
    is_clean = not any(find_forbidden_character(text) for pair in entries.items() for text in pair)
    if is_small and is_clean:
        return []
    return [
        _problem(
            "/metadata",
            "metadata_invalid",
            en=f"metadata takes up to {MAX_METADATA_ENTRIES} short texts, no control characters",
            zh=f"metadata 最多 {MAX_METADATA_ENTRIES} 项短文本，且不能含控制字符",
        )
    ]


def _format_problems(request: ImageRequest) -> list[FieldProblem]:
    if request.output_format in list(OutputFormat):
        return []
    return [
        _problem(
            "/output_format",
            "unknown_value",
            en="output_format must be png, jpeg or webp",
            zh="output_format 只能是 png、jpeg 或 webp",
        )
    ]


def _work_problems(resolved: ImageInput, plan: Plan) -> list[FieldProblem]:
    work = work_of(resolved)
    if work <= plan.max_work:
        return []
    return [
        _problem(
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
