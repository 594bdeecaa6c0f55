"""Checks of what a request for pictures brings along: pictures to start from, and a mask. Pure."""

from typing import Protocol

from gen_video.engines.catalogue import Catalogue, ModelSpec, TaskKind
from gen_video.errors import FieldProblem
from gen_video.generation.checks import problem

REFERENCE_TYPES = ("scene", "face")
WHOLLY_NEW = 1.0


class Edit(Protocol):
    """What is looked at of a request."""

    @property
    def strength(self) -> float | None:
        """Distance from the picture."""
        ...

    @property
    def reference_sha256(self) -> str | None:
        """Of the picture that is edited."""
        ...

    @property
    def more_sha256(self) -> tuple[str, ...]:
        """Of further pictures."""
        ...

    @property
    def mask_sha256(self) -> str | None:
        """Of the mask."""
        ...

    @property
    def reference_image_type(self) -> str | None:
        """A word of existing clients."""
        ...


def choose_strength(request: Edit, spec: ModelSpec) -> float:
    """Return how far an edit moves away from its pictures.

    What a mask marks is drawn wholly anew, unless further pictures say what it begins with.
    """
    if request.strength is not None:
        return request.strength
    is_anew = request.mask_sha256 is not None and not request.more_sha256
    return WHOLLY_NEW if is_anew else spec.defaults.strength


def reference_problems(request: Edit, spec: ModelSpec, catalogue: Catalogue) -> list[FieldProblem]:
    """Return what is wrong with the pictures and the mask, for this model."""
    if request.reference_sha256 is None:
        return [*_missing_problems(request, spec, catalogue), *_type_problems(request)]
    if request.mask_sha256 is not None:
        return [*_mask_problems(spec, catalogue), *_type_problems(request)]
    return [*_picture_problems(request, spec, catalogue), *_type_problems(request)]


def _missing_problems(request: Edit, spec: ModelSpec, catalogue: Catalogue) -> list[FieldProblem]:
    problems = []
    if TaskKind.TEXT_TO_IMAGE not in spec.kinds:
        others = _names(catalogue.list_models(TaskKind.TEXT_TO_IMAGE))
        problems.append(
            problem(
                "/reference_image",
                "image_required",
                en=f"{spec.id} edits pictures: send one in reference_image{_or(others)}",
                zh=f"{spec.id} 用于编辑图片，请通过 reference_image 上传图片{_or_zh(others)}",
            )
        )
    if request.strength is not None:
        problems.append(
            problem(
                "/strength",
                "needs_reference_image",
                en="strength only has a meaning together with reference_image",
                zh="strength 需要与 reference_image 一起使用",
            )
        )
    if request.mask_sha256 is not None:
        problems.append(
            problem(
                "/mask",
                "needs_reference_image",
                en="a mask belongs to a picture; send the picture as reference_image",
                zh="mask 需要与图片一起使用，请通过 reference_image 上传图片",
            )
        )
    return problems


def _mask_problems(spec: ModelSpec, catalogue: Catalogue) -> list[FieldProblem]:
    if TaskKind.INPAINT in spec.kinds:
        return []
    others = _names(catalogue.list_models(TaskKind.INPAINT))
    return [
        problem(
            "/mask",
            "not_supported_by_model",
            en=f"{spec.id} takes no mask: leave it out{_or(others)}",
            zh=f"{spec.id} 不支持 mask，请去掉 mask{_or_zh(others)}",
        )
    ]


def _picture_problems(request: Edit, spec: ModelSpec, catalogue: Catalogue) -> list[FieldProblem]:
    count, most = 1 + len(request.more_sha256), spec.limits.max_references
    if TaskKind.IMAGE_TO_IMAGE not in spec.kinds:
        others = _names(catalogue.list_models(TaskKind.IMAGE_TO_IMAGE))
        return [
            problem(
                "/reference_image",
                "not_supported_by_model",
                en=f"{spec.id} does not take a reference image: leave it out{_or(others)}",
                zh=f"{spec.id} 不支持参考图，请去掉参考图{_or_zh(others)}",
            )
        ]
    if count <= most:
        return []
    able = [model for model in catalogue.list_models() if model.limits.max_references >= count]
    others = _names(able)
    is_maskable = TaskKind.INPAINT in spec.kinds
    return [
        problem(
            "/reference_image",
            "not_supported_by_model",
            en=(
                f"{spec.id} looks at {most} picture(s) at once, not {count}: send fewer"
                + (
                    ", or a mask that says where in the first one the others go"
                    if is_maskable
                    else ""
                )
                + _or(others)
            ),
            zh=(
                f"{spec.id} 一次最多参考 {most} 张图片，收到 {count} 张：请减少图片"
                + ("，或用 mask 指明其余图片放入第一张的位置" if is_maskable else "")
                + _or_zh(others)
            ),
        )
    ]


def _type_problems(request: Edit) -> list[FieldProblem]:
    kind = request.reference_image_type
    if kind is None or kind in REFERENCE_TYPES:
        return []
    return [
        problem(
            "/reference_image_type",
            "unknown_value",
            en="reference_image_type must be scene or face",
            zh="reference_image_type 只能是 scene 或 face",
        )
    ]


def _names(models: list[ModelSpec]) -> str:
    return ", ".join(model.id for model in models)


def _or(names: str) -> str:
    return f", or use a model that can: {names}" if names else ""


def _or_zh(names: str) -> str:
    return f"，或改用支持的模型：{names}" if names else ""
