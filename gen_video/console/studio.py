"""What the playground shows around its fields: models, sizes, adapters, today's quota. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gen_video.accounts.models import Plan
from gen_video.console.drafts import most_pictures, most_seconds, usual_seconds
from gen_video.console.sizes import SizePreset, list_presets
from gen_video.engines.catalogue import Catalogue, ModelSpec, TaskKind
from gen_video.engines.loras import Adapter
from gen_video.generation.models import Job
from gen_video.generation.requests import OutputFormat
from gen_video.generation.video_requests import MAX_SCENES, Transition, VideoFileFormat

EXAMPLES: dict[str, tuple[str, ...]] = {
    "en": (
        "a lake below snow mountains at sunset",
        "a small boat on the sea at dawn",
        "a forest in autumn, fog",
        "a city at night in the rain",
    ),
    "zh": (
        "雪山下的湖，日落",
        "黎明的海面上一只小船",
        "秋天的森林，有雾",
        "雨夜的城市",
    ),
}
"""Prompts that the embedded models know how to draw."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """One tab of the playground for one model and one plan."""

    spec: ModelSpec
    models: tuple[ModelSpec, ...]
    presets: tuple[SizePreset, ...]
    characters: tuple[Adapter, ...]
    styles: tuple[Adapter, ...]
    most_pictures: int
    formats: tuple[str, ...]
    transitions: tuple[str, ...] = tuple(Transition)
    most_scenes: int = MAX_SCENES

    @property
    def takes_reference(self) -> bool:
        """Tell whether a picture may be started from."""
        return bool({TaskKind.IMAGE_TO_IMAGE, TaskKind.IMAGE_TO_VIDEO} & self.spec.kinds)

    @property
    def usual_seconds(self) -> float:
        """Return the length of a scene that says nothing."""
        return usual_seconds(self.spec)

    def most_seconds(self, fps: int) -> float:
        """Return the longest scene at a rate."""
        return most_seconds(self.spec, fps=fps)

    @property
    def shortest_seconds(self) -> float:
        """Return the shortest scene at the usual rate, rounded up."""
        return max(0.1, round(self.spec.limits.nearest_frames(1) / self.spec.defaults.fps, 2))


def picture_studio(
    catalogue: Catalogue, model: str, *, plan: Plan, adapters: Sequence[Adapter]
) -> Studio:
    """Return the picture tab for a model, or for the usual one."""
    models = tuple(spec for spec in catalogue.list_models() if spec.makes_pictures)
    spec = next((spec for spec in models if spec.id == model), None)
    if spec is None:
        spec = catalogue.get(catalogue.default_image_model)
    takes_loras = spec.lora_family is not None
    own = [adapter for adapter in adapters if takes_loras]
    return Studio(
        spec=spec,
        models=models,
        presets=list_presets(spec),
        characters=tuple(adapter for adapter in own if adapter.kind == "character"),
        styles=tuple(adapter for adapter in own if adapter.kind == "style"),
        most_pictures=most_pictures(spec.limits, plan),
        formats=tuple(OutputFormat),
    )


def video_studio(catalogue: Catalogue, model: str, *, plan: Plan) -> Studio | None:
    """Return the video tab for a model, or for the usual one; None when none makes videos."""
    models = tuple(spec for spec in catalogue.list_models() if spec.makes_videos)
    spec = next((spec for spec in models if spec.id == model), None)
    spec = spec or catalogue.find(catalogue.default_video_model)
    if spec is None:
        return None
    return Studio(
        spec=spec,
        models=models,
        presets=list_presets(spec),
        characters=(),
        styles=(),
        most_pictures=most_pictures(spec.limits, plan),
        formats=tuple(VideoFileFormat),
    )


def choose_model(catalogue: Catalogue, kind: TaskKind, *, usual: str, asked: str = "") -> str:
    """Return a model that can do something: the one asked for, the usual one, or any."""
    able = [spec.id for spec in catalogue.list_models(kind)]
    return next((model for model in (asked, usual, *able) if model in able), usual)


def nearest_size(presets: Sequence[SizePreset], job: Job) -> SizePreset | None:
    """Return the preset whose shape is nearest to a job's."""
    wanted = job.input.width / job.input.height
    return min(presets, key=lambda preset: abs(preset.width / preset.height - wanted), default=None)
