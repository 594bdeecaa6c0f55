"""The catalogue: which models are on offer, with their limits, defaults, price and licence.

Read from `models.toml`. Pure: no weights are touched and nothing heavy is imported, so the web
process can use it.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gen_video.engines.worlds import World, load_world
from gen_video.errors import ServiceError

TEST_DOUBLE = "test-double"


class TaskKind(StrEnum):
    """What a model can make of what."""

    TEXT_TO_IMAGE = "text-to-image"
    IMAGE_TO_IMAGE = "image-to-image"
    INPAINT = "inpainting"
    TEXT_TO_VIDEO = "text-to-video"
    IMAGE_TO_VIDEO = "image-to-video"

    @property
    def makes_video(self) -> bool:
        """Tell whether a video comes out."""
        return self in {TaskKind.TEXT_TO_VIDEO, TaskKind.IMAGE_TO_VIDEO}


class CatalogueError(ServiceError):
    """`models.toml` is wrong."""

    code = "catalogue_invalid"
    message_en = "{file}: {where}: {reason}"
    message_zh = "{file}：{where}：{reason}"


class UnknownModelError(ServiceError):
    """No model of that id is on offer."""

    code = "unknown_model"
    status = 422
    message_en = "There is no model {model}. GET /api/v1/models lists what is on offer."
    message_zh = "模型 {model} 不存在，可通过 GET /api/v1/models 查看可用模型。"


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=False,
        json_schema_serialization_defaults_required=True,
    )


class ModelDefaults(_Part):
    """What a request that says nothing gets."""

    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    negative_prompt: str = ""
    strength: float = 0.6
    num_frames: int = 1
    fps: int = 16


class ModelLimits(_Part):
    """What a request may ask for; sizes in pixels.

    Attributes:
        frames_step: The model makes `frames_step * k + 1` frames; 1 for any number.
        max_frames: Of one scene.
        max_references: How many pictures the model looks at together.
    """

    min_width: int = 256
    max_width: int = 2048
    min_height: int = 256
    max_height: int = 2048
    multiple_of: int = Field(default=8, ge=1)
    max_pixels: int = 2048 * 2048
    min_steps: int = Field(default=1, ge=1)
    max_steps: int = 150
    max_n: int = Field(default=10, ge=1)
    max_guidance_scale: float = 30.0
    max_prompt_characters: int = 4000
    min_frames: int = Field(default=1, ge=1)
    max_frames: int = Field(default=1, ge=1)
    frames_step: int = Field(default=1, ge=1)
    min_fps: int = Field(default=1, ge=1)
    max_fps: int = Field(default=60, ge=1, le=120)
    max_references: int = Field(default=1, ge=1, le=16)

    def nearest_frames(self, wanted: float) -> int:
        """Return the number of frames that the model makes and that is nearest to this."""
        lowest = math.ceil((self.min_frames - 1) / self.frames_step)
        highest = (self.max_frames - 1) // self.frames_step
        # In this order also what is no number becomes one.
        nearest = min(max(lowest, (wanted - 1) / self.frames_step), highest)
        return round(nearest) * self.frames_step + 1


class ModelSpec(_Part):
    """One model on offer.

    Attributes:
        source: A folder (relative to the project) or a hub id.
        native_sizes: Where not empty, the sizes that the model was trained at: it samples at the
            one with the nearest shape, and the picture is resampled to the size asked for.
        knows_en: What a model of a small world can draw; empty for a general one.
        world: A file in the folder of such a model that lists the words it knows.
        timeline: A file in the folder of a model that draws clips as one picture, see
            `diffusers_timeline`.
        is_suggested: Named to users whose prompt is too much for a small model.
        pool: Workers may serve some pools only; models of one pool share its queue and devices.
        memory_mib: Expected need of memory, for the residency budget.
        lora_family: Which adapters fit; None when it takes none.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,80}$")]
    title_en: str
    title_zh: str
    description_en: str = ""
    description_zh: str = ""
    knows_en: str = ""
    knows_zh: str = ""
    world: str = ""
    timeline: str = ""
    is_suggested: bool = False
    kinds: frozenset[TaskKind] = frozenset({TaskKind.TEXT_TO_IMAGE})
    source: str
    hub: Literal["local", "huggingface", "modelscope"] = "huggingface"
    revision: str | None = None
    variant: str | None = None
    engine: Literal["diffusers", "test-double"] = "diffusers"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    device: str = "auto"
    offload: Literal["none", "model", "sequential"] = "none"
    scheduler: str | None = None
    scheduler_config: dict[str, str | int | float | bool] = Field(default_factory=dict)
    defaults: ModelDefaults
    limits: ModelLimits = ModelLimits()
    native_sizes: tuple[tuple[int, int], ...] = ()
    pool: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")] = "default"
    memory_mib: int = Field(default=8192, ge=1)
    licence: str
    licence_url: str = ""
    price_micros: int = Field(default=0, ge=0)
    is_test_only: bool = False
    enabled: bool = False
    lora_family: str | None = None

    @property
    def makes_videos(self) -> bool:
        """Tell whether videos can be asked for."""
        return any(kind.makes_video for kind in self.kinds)

    @property
    def makes_pictures(self) -> bool:
        """Tell whether pictures can be asked for."""
        return any(not kind.makes_video for kind in self.kinds)

    @model_validator(mode="after")
    def _defaults_fit_limits(self) -> Self:
        limits, defaults = self.limits, self.defaults
        fits = (
            limits.min_width <= defaults.width <= limits.max_width
            and limits.min_height <= defaults.height <= limits.max_height
            and limits.min_steps <= defaults.num_inference_steps <= limits.max_steps
            and defaults.width % limits.multiple_of == 0
            and defaults.height % limits.multiple_of == 0
            and limits.nearest_frames(defaults.num_frames) == defaults.num_frames
            and limits.min_fps <= defaults.fps <= limits.max_fps
        )
        if not fits:
            raise ValueError("the defaults do not lie within the limits")
        if self.makes_videos and self.makes_pictures and self.engine == "diffusers":
            # One pipeline would be asked for a picture in the middle of its own video.
            raise ValueError("an entry makes pictures or videos, not both: write two entries")
        if self.makes_videos and limits.max_frames == 1:
            raise ValueError("a video model needs max_frames among its limits")
        if self.makes_videos and limits.multiple_of % 2:
            raise ValueError("videos have even sides: multiple_of must be even")
        return self


class _File(_Part):
    model: tuple[ModelSpec, ...]


class Catalogue:
    """The models on offer, by id.

    Args:
        specs: What is on offer.
        default_image_model: Used by a request that names none.
        default_video_model: Likewise for videos; empty when none is on offer.
        worlds: What the models of a small world know, by id.
        suggestions: Ids of general picture models, also of those that are not on offer yet.
        video_suggestions: Likewise for videos.
    """

    def __init__(
        self,
        specs: Sequence[ModelSpec],
        *,
        default_image_model: str,
        default_video_model: str = "",
        worlds: Mapping[str, World] | None = None,
        suggestions: Sequence[str] = (),
        video_suggestions: Sequence[str] = (),
    ) -> None:
        self._specs = {spec.id: spec for spec in specs}
        self._worlds = dict(worlds or {})
        self._suggestions = tuple(suggestions)
        self._video_suggestions = tuple(video_suggestions)
        self.default_image_model = default_image_model
        self.default_video_model = default_video_model

    def get(self, model_id: str) -> ModelSpec:
        """Return a model.

        Raises:
            UnknownModelError: It is not on offer.
        """
        spec = self.find(model_id)
        if spec is None:
            raise UnknownModelError(model=model_id[:80])
        return spec

    def find(self, model_id: str) -> ModelSpec | None:
        """Return a model, None when it is not on offer."""
        return self._specs.get(model_id)

    def find_world(self, model_id: str) -> World | None:
        """Return what a model of a small world knows, None for a general model."""
        return self._worlds.get(model_id)

    def list_suggestions(self, *, for_videos: bool = False) -> list[str]:
        """Return ids of general models of a kind: those on offer, else those worth installing."""
        on_offer = [
            spec.id
            for spec in self._specs.values()
            if not (spec.knows_en or spec.is_test_only)
            and (spec.makes_videos if for_videos else spec.makes_pictures)
        ]
        worth_it = self._video_suggestions if for_videos else self._suggestions
        return on_offer or list(worth_it)

    def list_models(self, kind: TaskKind | None = None) -> list[ModelSpec]:
        """Return the models on offer, those of one kind if asked."""
        return [spec for spec in self._specs.values() if kind is None or kind in spec.kinds]


def read_specs(path: Path) -> list[ModelSpec]:
    """Read every entry of a catalogue file, enabled or not.

    Raises:
        CatalogueError: Names the entry, the field and what is wrong.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        specs = list(_File.model_validate(raw).model)
    except FileNotFoundError as error:
        raise CatalogueError(file=path.name, where="-", reason="file not found") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(file=path.name, where="-", reason=str(error)) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise CatalogueError(file=path.name, where=where, reason=first["msg"]) from error
    names = [spec.id for spec in specs]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise CatalogueError(file=path.name, where=doubled, reason="this id appears twice")
    return specs


def load_catalogue(
    path: Path,
    *,
    default_image_model: str,
    default_video_model: str = "",
    include_test_models: bool,
    base_folder: Path,
    enabled_models: Sequence[str] = (),
) -> Catalogue:
    """Read the models on offer.

    Args:
        path: The catalogue file.
        default_image_model: Used by a request that names none.
        default_video_model: Likewise for videos; the first one on offer when empty.
        include_test_models: Offer the test double too.
        base_folder: What relative folders of local models are relative to.
        enabled_models: Ids that are on offer in addition to those enabled in the file.

    Raises:
        CatalogueError: The file is wrong, or a default model is not on offer.
    """
    offered: list[ModelSpec] = []
    specs = read_specs(path)
    for spec in specs:
        is_on = spec.enabled or spec.id in enabled_models
        if spec.is_test_only:
            is_on = include_test_models
        if is_on:
            offered.append(_with_absolute_source(spec, base_folder))
    catalogue = Catalogue(
        offered,
        default_image_model=default_image_model,
        default_video_model=default_video_model or _first_video_model(offered),
        worlds=_load_worlds(path, offered),
        suggestions=[spec.id for spec in specs if spec.is_suggested and spec.makes_pictures],
        video_suggestions=[spec.id for spec in specs if spec.is_suggested and spec.makes_videos],
    )
    for model_id in (default_image_model, default_video_model):
        if model_id and catalogue.find(model_id) is None:
            raise CatalogueError(
                file=path.name, where=model_id, reason="the default model is not enabled"
            )
    video = catalogue.find(default_video_model)
    if video is not None and not video.makes_videos:
        raise CatalogueError(
            file=path.name, where=default_video_model, reason="the default model makes no videos"
        )
    return catalogue


def _first_video_model(specs: Sequence[ModelSpec]) -> str:
    return next((spec.id for spec in specs if spec.makes_videos), "")


def _with_absolute_source(spec: ModelSpec, base_folder: Path) -> ModelSpec:
    if spec.hub != "local":
        return spec
    return spec.model_copy(update={"source": str(base_folder / spec.source)})


def _load_worlds(path: Path, specs: Sequence[ModelSpec]) -> dict[str, World]:
    worlds = {}
    for spec in specs:
        if not spec.world:
            continue
        try:
            worlds[spec.id] = load_world(Path(spec.source) / spec.world)
        except FileNotFoundError:
            continue  # the weights are missing too, and whoever loads them says so
        except (OSError, ValueError) as error:
            raise CatalogueError(file=path.name, where=spec.id, reason=str(error)) from error
    return worlds
