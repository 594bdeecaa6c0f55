"""A cinema: models that make videos, storyboards, and a workshop that films them."""

from dataclasses import dataclass, replace

from gen_video.accounts.models import DEFAULT_PLANS
from gen_video.engines.catalogue import Catalogue, ModelDefaults, TaskKind
from gen_video.errors import FieldProblem, InvalidRequestError
from gen_video.generation.models import Artifact, FileRole, Job, VideoInput
from gen_video.generation.runner import JobRunner, RunReport
from gen_video.generation.video_requests import SceneRequest, VideoRequest, resolve_video
from tests.generation.fakes import FakeEngine, StumblingStore
from tests.generation.studio import PAINT, SKETCH, Studio, open_studio

BOTH_KINDS = frozenset({TaskKind.TEXT_TO_VIDEO, TaskKind.IMAGE_TO_VIDEO})

REEL = SKETCH.model_copy(
    update={
        "id": "reel",
        "kinds": BOTH_KINDS,
        "defaults": ModelDefaults(
            width=64,
            height=48,
            num_inference_steps=4,
            guidance_scale=5.0,
            negative_prompt="blur",
            num_frames=6,
            fps=8,
        ),
        "limits": SKETCH.limits.model_copy(update={"max_frames": 4000, "max_fps": 60}),
    }
)
"""Makes any number of frames, of words or of a picture."""

FLICK = REEL.model_copy(
    update={
        "id": "flick",
        "kinds": frozenset({TaskKind.TEXT_TO_VIDEO}),
        "defaults": REEL.defaults.model_copy(update={"num_frames": 9}),
        "limits": REEL.limits.model_copy(
            update={
                "min_frames": 5,
                "max_frames": 81,
                "frames_step": 4,
                "min_fps": 8,
                "max_fps": 30,
            }
        ),
    }
)
"""Makes 5, 9 … 81 frames, of words alone."""

PORTRAIT = REEL.model_copy(update={"id": "portrait", "kinds": frozenset({TaskKind.IMAGE_TO_VIDEO})})
"""Sets pictures in motion and does without words."""

SCREEN = Catalogue(
    [SKETCH, PAINT, REEL, FLICK, PORTRAIT],
    default_image_model="sketch",
    default_video_model="reel",
)
PLAN = DEFAULT_PLANS[0]
SCREEN_MODELS = tuple(spec.id for spec in SCREEN.list_models())

WAVES = VideoRequest(scenes=(SceneRequest(prompt="waves"),), prompt="waves", seed=7)


def storyboard(*scenes: SceneRequest, prompt: str | None = None) -> VideoRequest:
    """Return a request of scenes that the client listed itself."""
    return VideoRequest(scenes=scenes, is_storyboard=True, prompt=prompt, seed=7)


THREE_SCENES = storyboard(
    SceneRequest(prompt="dawn"), SceneRequest(prompt="noon"), SceneRequest(prompt="night")
)


@dataclass(frozen=True)
class Cinema:
    """A studio that films: with a runner, its engine and its store."""

    studio: Studio
    engine: FakeEngine
    objects: StumblingStore
    runner: JobRunner

    def run(self) -> RunReport:
        """Claim the next job and run it."""
        return self.runner.run(self.studio.claim(models=SCREEN_MODELS))

    def read(self, file: Artifact) -> bytes:
        """Return the bytes of a file."""
        return b"".join(self.objects.read(file.storage_key))


def open_cinema(studio: Studio, *, attempts: int = 3) -> Cinema:
    """Return a cinema on the studio's database."""
    objects, engine = StumblingStore(), FakeEngine()
    studio = open_studio(studio.database, objects, catalogue=SCREEN, attempts=attempts)
    runner = JobRunner(execution=studio.execution, engine=engine, objects=objects, version="9.9")
    return Cinema(studio, engine, objects, runner)


def file_of(job: Job, role: FileRole) -> Artifact:
    """Return the one file of a job with this role."""
    (found,) = [file for file in job.files if file.role == role]
    return found


def with_image(scene: SceneRequest, image: bytes) -> SceneRequest:
    """Return the scene with a first frame."""
    return replace(scene, image_source=image.hex().ljust(64, "0")[:64], image_bytes=len(image))


def resolve(request: VideoRequest, *, max_work: int = PLAN.max_video_work) -> VideoInput:
    plan = replace(PLAN, max_video_work=max_work)
    return resolve_video(request, catalogue=SCREEN, plan=plan)


def problems_in(request: VideoRequest) -> tuple[FieldProblem, ...]:
    """Return everything that is wrong."""
    try:
        resolve(request)
    except InvalidRequestError as error:
        return error.problems
    return ()


def problems_of(request: VideoRequest) -> list[tuple[str, str]]:
    """Return (pointer, code) of everything that is wrong."""
    return [(problem.pointer, problem.code) for problem in problems_in(request)]


def change(request: VideoRequest, name: str, value: object) -> VideoRequest:
    """Return the request with one field changed."""
    return replace(request, **{name: value})  # type: ignore[arg-type] # of any field


def plain(prompt: str | None = "waves", **fields: object) -> VideoRequest:
    """Return a request of one scene, as a client without a storyboard writes it."""
    scene = SceneRequest(prompt=prompt, **fields)  # type: ignore[arg-type] # of any field
    return replace(WAVES, scenes=(scene,), prompt=prompt)


def scenes_of(*counts: int) -> VideoRequest:
    """Return a storyboard of scenes of so many frames."""
    return storyboard(*(SceneRequest(prompt="waves", num_frames=count) for count in counts))
