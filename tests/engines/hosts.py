"""Engine hosts with a real child, and tasks for the test double."""

import os
from dataclasses import dataclass, field, replace

from gen_video.engines.catalogue import TEST_DOUBLE, Catalogue, ModelSpec, load_catalogue
from gen_video.engines.host import EngineHost, HostLimits
from gen_video.engines.makes import ChildConfig
from gen_video.engines.tasks import Frames, ImageTask, Picture, StepProgress, VideoTask
from tests.house.project import PROJECT

STEPS = 4


def double_task(prompt: str = "a lake") -> ImageTask:
    """Return a task for the test double; its prompt may carry directives."""
    return ImageTask(
        task_id="job_1",
        model=TEST_DOUBLE,
        prompt=prompt,
        negative_prompt="",
        width=16,
        height=8,
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        seed=7,
    )


def endless_task(prompt: str = "sleep=3600") -> ImageTask:
    """Return a task that takes an hour, in steps of a few hundredths of a second."""
    return replace(double_task(prompt), num_inference_steps=100_000)


def double_clip(prompt: str = "a lake") -> VideoTask:
    """Return a task for a clip of the test double; its prompt may carry directives."""
    return VideoTask(
        task_id="job_2",
        model=TEST_DOUBLE,
        prompt=prompt,
        negative_prompt="",
        width=16,
        height=8,
        num_frames=20,
        fps=8,
        num_inference_steps=STEPS,
        guidance_scale=1.0,
        seed=7,
    )


def endless_clip(prompt: str = "sleep=3600") -> VideoTask:
    """Return a clip that takes an hour, in steps of a few hundredths of a second."""
    return replace(double_clip(prompt), num_inference_steps=100_000)


def double_spec() -> ModelSpec:
    """Return the catalogue entry of the test double."""
    return double_catalogue().get(TEST_DOUBLE)


def double_catalogue() -> Catalogue:
    """Return the shipped catalogue with the test double on offer."""
    return load_catalogue(
        PROJECT / "models.toml",
        default_image_model=TEST_DOUBLE,
        include_test_models=True,
        base_folder=PROJECT,
    )


@dataclass(kw_only=True)
class Driver:
    """A host, and what it told during the latest run.

    Attributes:
        restarts: Why children had to be replaced, oldest first.
        cancel_at: The running task is cancelled at its first step of that number or later.
        pictures: Those of the latest run, also when it failed.
        frames: Likewise of the latest clip; `progress` is that of the latest picture task.
        video_share: Of the child's time, while pictures wait.
    """

    limits: HostLimits = field(default_factory=HostLimits)
    catalogue: Catalogue = field(default_factory=double_catalogue)
    restarts: list[str] = field(default_factory=list)
    progress: list[StepProgress] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    frames: list[Frames] = field(default_factory=list)
    cancel_at: int | None = None
    video_share: float = 0.5

    def __post_init__(self) -> None:
        self.host = EngineHost(
            self.catalogue,
            ChildConfig(device="cpu", threads=1, is_hub_offline=True, video_share=self.video_share),
            limits=self.limits,
            environment={**os.environ, "GEN_VIDEO_DATABASE_URL": "sqlite:///secret"},  # noqa: TID251 - for a child
            on_restart=self.restarts.append,
        )

    @property
    def pid(self) -> int:
        """Return the child's process id."""
        child = self.host._child
        assert child is not None
        return child._process.pid

    def run(self, task: ImageTask) -> list[Picture]:
        """Run a task to its end."""
        self.progress, self.pictures = [], []

        def note(progress: StepProgress) -> None:
            self.progress.append(progress)
            is_working = progress.stage != "loading"
            if self.cancel_at is not None and is_working and progress.step >= self.cancel_at:
                self.host.cancel(task.task_id)

        for picture in self.host.generate(task, on_progress=note):
            self.pictures.append(picture)
        return self.pictures

    def film(self, task: VideoTask) -> list[Frames]:
        """Film a clip to its end."""
        self.frames = []
        for part in self.host.film(task, on_progress=lambda _progress: None):
            self.frames.append(part)
        return self.frames

    def works(self) -> bool:
        """Tell whether a plain task still gives its picture."""
        self.cancel_at = None
        task = replace(double_task(), task_id="job_next")
        return [len(picture.rgb) for picture in self.run(task)] == [16 * 8 * 3]
