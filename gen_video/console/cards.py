"""Cards: a job as pages show it, with the addresses of its files and what to do next. Pure."""

from dataclasses import dataclass
from urllib.parse import urlencode

from gen_video.console.navigation import N_
from gen_video.generation.models import Artifact, FileRole, ImageInput, Job, VideoInput
from gen_video.generation.states import JobKind, JobState

FILES = "/console/files"
PICTURES, VIDEOS = "/console/playground", "/console/playground/video"
PICTURE_MIMES = frozenset({"image/png", "image/jpeg", "image/webp"})
STATE_WORDS = {
    JobState.QUEUED: N_("Waiting"),
    JobState.RUNNING: N_("Running"),
    JobState.SUCCEEDED: N_("Done"),
    JobState.FAILED: N_("Failed"),
    JobState.CANCELED: N_("Canceled"),
    JobState.EXPIRED: N_("Expired"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """One file of a card.

    Attributes:
        small: Address of a small picture that stands for it.
        is_there: False for a file that was deleted or whose time is over.
    """

    url: str
    small: str
    name: str
    mime: str
    size_bytes: int
    width: int
    height: int
    seed: int
    sha256: str
    seconds: float | None
    is_video: bool
    is_there: bool
    reference_url: str = ""
    animate_url: str = ""

    @property
    def download_url(self) -> str:
        """Return the address that makes a browser save the file."""
        return f"{self.url}?download"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A job as a page shows it."""

    job: Job
    files: tuple[FileView, ...]

    @property
    def id(self) -> str:
        """Return the job's id."""
        return self.job.id

    @property
    def url(self) -> str:
        """Return the address of the job's page."""
        return f"/console/jobs/{self.job.id}"

    @property
    def is_open(self) -> bool:
        """Tell whether it waits or runs."""
        return not self.job.state.is_terminal

    @property
    def is_video(self) -> bool:
        """Tell whether it makes a video."""
        return self.job.kind is JobKind.VIDEO

    @property
    def is_deleted(self) -> bool:
        """Tell whether its files were erased."""
        return self.job.deleted_at is not None

    @property
    def state_word(self) -> str:
        """Return its state, to be translated."""
        return STATE_WORDS[self.job.state]

    @property
    def prompt(self) -> str:
        """Return what it was asked for, scene by scene."""
        return " · ".join(self.job.input.prompts) or self.job.input.prompt

    @property
    def files_there(self) -> tuple[FileView, ...]:
        """Return the files that can be looked at."""
        return tuple(file for file in self.files if file.is_there)

    @property
    def again_url(self) -> str:
        """Return where the same is asked for again, with its seed."""
        return _with(VIDEOS if self.is_video else PICTURES, again=self.job.id)

    @property
    def drawing(self) -> ImageInput | None:
        """Return what pictures were asked for with, None of a video."""
        return self.job.input if isinstance(self.job.input, ImageInput) else None

    @property
    def film(self) -> VideoInput | None:
        """Return what a video was asked for with, None of pictures."""
        return self.job.input if isinstance(self.job.input, VideoInput) else None

    @property
    def units(self) -> int:
        """Return what it took of the day's quota: nothing without a result."""
        if self.job.state in {JobState.FAILED, JobState.CANCELED, JobState.EXPIRED}:
            return 0
        return self.job.units if self.job.units_delivered is None else self.job.units_delivered


def card_of(job: Job) -> Card:
    """Return a job's card."""
    return Card(job=job, files=tuple(_view(job, output) for output in job.outputs))


def file_url(artifact: Artifact) -> str:
    """Return the address of a file in the console."""
    return f"{FILES}/{artifact.public_name}"


def _view(job: Job, output: Artifact) -> FileView:
    still = job.find_still(output)
    is_animation = output.num_frames is not None
    is_picture = output.mime in PICTURE_MIMES and not is_animation
    return FileView(
        url=file_url(output),
        small=file_url(still or output),
        name=output.public_name.rpartition("/")[2],
        mime=output.mime,
        size_bytes=output.size_bytes,
        width=output.width,
        height=output.height,
        seed=output.seed,
        sha256=output.sha256,
        seconds=output.duration_seconds,
        is_video=output.mime.startswith("video/"),
        is_there=output.state == "live" and output.role == FileRole.OUTPUT,
        reference_url=_with(PICTURES, reference=output.public_name) if is_picture else "",
        animate_url=(
            _with(VIDEOS, like=job.id, reference=output.public_name) if is_picture else ""
        ),
    )


def _with(path: str, **query: str) -> str:
    return f"{path}?{urlencode(query)}"
