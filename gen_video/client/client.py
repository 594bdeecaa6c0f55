"""`Client`: the service from Python code that blocks."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

import httpx

from gen_video.client import following, jobs
from gen_video.client.connection import Call, Connection, Timeouts, read_environment
from gen_video.client.downloads import OnDownload, download_each, download_first
from gen_video.client.drivers import Driver, T
from gen_video.client.exchange import perform
from gen_video.client.following import OnProgress, Waiting
from gen_video.client.happenings import JobEvent
from gen_video.client.jobs import JobFilters, id_of
from gen_video.client.records import Job, Loras, Model, Output, Quota
from gen_video.client.requests import (
    ImageOptions,
    Scene,
    VideoOptions,
    submit_image,
    submit_video,
)
from gen_video.client.uploads import Picture
from gen_video.client.webhooks import Events, Webhooks


class Client:
    """A service and a key. Use it as a context manager, or call `close`.

    It may be shared by threads. Requests are repeated when repeating is safe; a submit carries an
    idempotency key, so that it makes one job however often it is sent.

    Args:
        base_url: Such as `http://127.0.0.1:8000`.
        api_key: Such as `gv_live_…`.
        language: Of error messages: `zh` or `en`.
        timeouts: For connecting, reading, and event streams.
        max_retries: How often a request is repeated, 0 for never.
        transport: Another way to the service, for tests and proxies.
        trust_env: Whether proxies of the environment are used.

    Example:
        >>> with Client("http://127.0.0.1:8000", "test-key-123") as client:
        ...     job = client.generate_image("a lake at dawn", width=512, height=512)
        ...     client.download(job, "lake.png")
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        language: str | None = None,
        timeouts: Timeouts | None = None,
        max_retries: int = 3,
        transport: httpx.BaseTransport | None = None,
        trust_env: bool = True,
    ) -> None:
        self._connection = Connection(
            base_url=base_url,
            api_key=api_key,
            language=language,
            timeouts=timeouts or Timeouts(),
            max_retries=max_retries,
        )
        self._driver = Driver(httpx.Client(transport=transport, trust_env=trust_env))
        self.webhooks = Webhooks(self._driver, self._connection)
        self.events = Events(self._driver, self._connection)

    @classmethod
    def from_environment(cls, *, language: str | None = None, max_retries: int = 3) -> Self:
        """Return a client of GEN_VIDEO_BASE_URL and GEN_VIDEO_API_KEY.

        Example:
            >>> client = Client.from_environment()
        """
        base_url, api_key = read_environment()
        return cls(base_url, api_key, language=language, max_retries=max_retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def base_url(self) -> str:
        """Return the address of the service."""
        return self._connection.base_url

    def close(self) -> None:
        """Close the connections.

        Example:
            >>> client.close()
        """
        self._driver.close()

    def generate_image(
        self,
        prompt: str,
        *,
        image: Picture | None = None,
        wait: bool = True,
        timeout_seconds: float | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ImageOptions],
    ) -> Job:
        """Make pictures, and wait for them unless `wait` is False.

        Args:
            prompt: What to draw.
            image: A picture to start from.
            wait: False returns the accepted job at once.
            timeout_seconds: When to stop waiting; the job goes on.
            on_progress: Called with every `Progress`.
            options: See `ImageOptions`.

        Raises:
            JobFailedError: The job has no result.
            WaitTimeoutError: It is not finished in time.
            QuotaExceededError: Today's pictures are used up.
            ValidationError: An option cannot be served.

        Example:
            >>> client.generate_image("a lake", n=2, seed=7).outputs[0].file_name
            'job_4bDk2Qv9sTnW1xYz8aLm3P.png'
        """
        call = submit_image(prompt, [] if image is None else [image], None, options)
        waiting = Waiting(timeout_seconds=timeout_seconds, on_progress=on_progress)
        return self._submit(call, waiting if wait else None)

    def edit_image(
        self,
        prompt: str,
        pictures: Picture | Sequence[Picture],
        *,
        mask: Picture | None = None,
        wait: bool = True,
        timeout_seconds: float | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ImageOptions],
    ) -> Job:
        """Change pictures by a prompt, everywhere or where a mask allows it.

        Args:
            prompt: What to make of them.
            pictures: One picture, or several where the model can.
            mask: A picture of the same size that says where to paint.
            wait: As of `generate_image`, like the rest.
            timeout_seconds: See there.
            on_progress: See there.
            options: See `ImageOptions`.

        Example:
            >>> client.edit_image("add a boat", "lake.png", mask="water.png").is_succeeded
            True
        """
        call = submit_image(prompt, list_pictures(pictures), mask, options)
        waiting = Waiting(timeout_seconds=timeout_seconds, on_progress=on_progress)
        return self._submit(call, waiting if wait else None)

    def generate_video(
        self,
        prompt: str | None = None,
        *,
        scenes: Sequence[Scene] | None = None,
        wait: bool = True,
        timeout_seconds: float | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[VideoOptions],
    ) -> Job:
        """Make a video of a prompt, of a first frame, or of scenes joined into one clip.

        Args:
            prompt: What to show; with scenes for those without their own.
            scenes: See `Scene`.
            wait: As of `generate_image`, like the rest.
            timeout_seconds: See there.
            on_progress: See there.
            options: See `VideoOptions`.

        Example:
            >>> scenes = [{"prompt": "dawn", "duration": 2}, {"prompt": "night", "duration": 2}]
            >>> client.generate_video(scenes=scenes, transition="crossfade").outputs[0].mime
            'video/mp4'
        """
        call = submit_video(prompt, scenes, options)
        waiting = Waiting(timeout_seconds=timeout_seconds, on_progress=on_progress)
        return self._submit(call, waiting if wait else None)

    def get_job(self, job_id: str) -> Job:
        """Read a job.

        Example:
            >>> client.get_job("job_4bDk2Qv9sTnW1xYz8aLm3P").status
            'running'
        """
        return self._run(jobs.get_job(job_id))

    def list_jobs(
        self, *, limit: int | None = None, **filters: Unpack[JobFilters]
    ) -> Iterator[Job]:
        """Yield jobs, newest first; further pages are fetched as they are needed.

        Example:
            >>> for job in client.list_jobs(status="failed", limit=100):
            ...     print(job.id, job.error)
        """
        return self._driver.iterate(
            jobs.list_pages(self._connection, Job, "/jobs", filters=filters, limit=limit)
        )

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job that is not finished; its units come back.

        Example:
            >>> client.cancel(job).status
            'canceled'
        """
        return self._run(jobs.cancel_job(id_of(job)))

    def delete(self, job: Job | str) -> Job:
        """Erase the files of a finished job.

        Example:
            >>> client.delete(job).outputs[0].state
            'deleted'
        """
        return self._run(jobs.delete_job(id_of(job)))

    def wait(
        self,
        job: Job | str,
        *,
        timeout_seconds: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Job:
        """Wait for a job to end well, through cut connections.

        The time is looked at whenever the service says something, at the latest every 15 s.

        Raises:
            JobFailedError: The job has no result.
            WaitTimeoutError: It is not finished in time.

        Example:
            >>> client.wait(job, on_progress=lambda progress: print(progress.percent))
        """
        waiting = Waiting(timeout_seconds=timeout_seconds, on_progress=on_progress)
        return self._driver.run(following.wait(self._connection, id_of(job), waiting))

    def stream(self, job: Job | str, *, after: int = 0) -> Iterator[JobEvent]:
        """Yield the live events of a job until its end, each once, through cut connections.

        Args:
            job: Whom to follow.
            after: The `number` of the last event that is known.

        Example:
            >>> for event in client.stream(job):
            ...     print(event.name, event.progress.percent)
        """
        return self._driver.iterate(following.stream(self._connection, id_of(job), after=after))

    def download(
        self,
        what: Job | Output | str,
        path: str | Path = ".",
        *,
        on_progress: OnDownload | None = None,
    ) -> Path:
        """Save an output, or the first one of a job: whole and checked, or not at all.

        Args:
            what: An output, a job, or a job's id.
            path: A file, or a folder that is there.
            on_progress: Called with every `DownloadProgress`.

        Raises:
            DownloadError: It is damaged, or cannot be written.

        Example:
            >>> client.download(job.outputs[0], "lake.png")
            PosixPath('lake.png')
        """
        return self._driver.run(
            download_first(self._connection, what, Path(path), on_progress=on_progress)
        )

    def download_all(
        self, job: Job | str, folder: str | Path = ".", *, on_progress: OnDownload | None = None
    ) -> tuple[Path, ...]:
        """Save all outputs of a job in a folder that is there, under the service's names.

        Example:
            >>> client.download_all(job, "pictures")
            (PosixPath('pictures/job_4bDk2Qv9sTnW1xYz8aLm3P.png'),)
        """
        steps = download_each(self._connection, job, Path(folder), on_progress=on_progress)
        return tuple(self._driver.iterate(steps))

    def quota(self) -> Quota:
        """Read what is used and left today.

        Example:
            >>> client.quota().images.remaining
            9
        """
        return self._run(jobs.get_quota())

    def models(self) -> tuple[Model, ...]:
        """Read the models on offer.

        Example:
            >>> [model.id for model in client.models() if model.is_default]
            ['mini', 'mini-video']
        """
        return self._run(jobs.list_models())

    def loras(self) -> Loras:
        """Read the adapters on offer.

        Example:
            >>> [lora.name for lora in client.loras().style]
            ['ink']
        """
        return self._run(jobs.get_loras())

    def _submit(self, call: Call[Job], waiting: Waiting | None) -> Job:
        return self._driver.run(following.submit(self._connection, call, waiting))

    def _run(self, call: Call[T]) -> T:
        return self._driver.run(perform(self._connection, call))


def list_pictures(given: Picture | Sequence[Picture]) -> list[Picture]:
    """Return one picture or several as a list."""
    return [given] if isinstance(given, bytes | str | Path) else list(given)
