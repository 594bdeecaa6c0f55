"""The diffusers make of engine: pictures and clips from one shelf of models on one device."""

from collections.abc import Iterator

from typing_extensions import override

from gen_video.engines.catalogue import ModelSpec, TaskKind
from gen_video.engines.diffusers_image import draw_picture, kind_of, picture_pipeline
from gen_video.engines.diffusers_loras import use_adapters
from gen_video.engines.diffusers_models import Pipeline, Shelf
from gen_video.engines.diffusers_previews import Readout, fit_readout
from gen_video.engines.diffusers_timeline import film_timeline, read_timeline
from gen_video.engines.diffusers_video import film_clip, video_pipeline
from gen_video.engines.makes import ChildConfig, Make, Supervision
from gen_video.engines.tasks import Frames, ImageTask, Picture, VideoTask


class DiffusersMake(Make):
    """Runs stock pipelines."""

    def __init__(self, config: ChildConfig) -> None:
        self._config = config
        self._shelf = Shelf(config)
        self._readouts: dict[str, Readout | None] = {}

    @override
    def load(self, spec: ModelSpec) -> None:
        self._shelf.get(spec)

    @override
    def unload(self, model_id: str) -> None:
        self._readouts.pop(model_id, None)
        self._shelf.drop(model_id)

    @override
    def resident_models(self) -> tuple[str, ...]:
        return self._shelf.names()

    @override
    def has_room_for(self, spec: ModelSpec) -> bool:
        return self._shelf.has_room_for(spec)

    @override
    def run(self, spec: ModelSpec, task: ImageTask, watch: Supervision) -> Iterator[Picture]:
        pipeline = picture_pipeline(self._shelf.get(spec), kind_of(task), spec)
        watch.check()
        readout = self._readout_of(spec, pipeline) if task.previews else None
        with use_adapters(pipeline, task.loras, folder=self._config.lora_path):
            for index in range(task.n):
                yield draw_picture(pipeline, spec, task, index, watch, readout=readout)

    @override
    def film(self, spec: ModelSpec, task: VideoTask, watch: Supervision) -> Iterator[Frames]:
        resident = self._shelf.get(spec)
        if spec.timeline:
            pipeline = next(iter(resident.pipelines.values()))
            timeline = read_timeline(spec, self._shelf.folder_of(spec))
            readout = self._readout_of(spec, pipeline) if task.previews else None
            yield from film_timeline(
                pipeline, spec, task, watch, timeline=timeline, readout=readout
            )
            return
        has_reference = task.reference_image is not None
        kind = TaskKind.IMAGE_TO_VIDEO if has_reference else TaskKind.TEXT_TO_VIDEO
        pipeline = video_pipeline(resident, kind, spec)
        watch.check()
        readout = self._readout_of(spec, pipeline) if task.previews else None
        yield from film_clip(pipeline, task, watch, readout=readout)

    def _readout_of(self, spec: ModelSpec, pipeline: Pipeline) -> Readout | None:
        """Return what turns the model's latents into previews, fitted at its first use."""
        if spec.id not in self._readouts:
            self._readouts[spec.id] = fit_readout(pipeline)
        return self._readouts[spec.id]
