"""`AsyncClient`: the service from asyncio. The operations are those of `Client`."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, Unpack

import httpx

from gen_video.client import following, jobs
from gen_video.client.client import list_pictures
from gen_video.client.connection import Call, Connection, Timeouts, read_environment
from gen_video.client.downloads import OnDownload, download_each, download_first
from gen_video.client.drivers import AsyncDriver, T
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
from gen_video.client.webhooks import AsyncEvents, AsyncWebhooks


class AsyncClient:
    """A service and a key, for asyncio; arguments as of `Client`.

    `on_progress` may be a coroutine function.

    Example:
        >>> async with AsyncClient("http://127.0.0.1:8000", "test-key-123") as client:
        ...     job = await client.generate_image("a lake at dawn")
        ...     await client.download(job, "lake.png")
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        language: str | None = None,
        timeouts: Timeouts | None = None,
        max_retries: int = 3,
        transport: httpx.AsyncBaseTransport | None = None,
        trust_env: bool = True,
    ) -> None:
        self._connection = Connection(
            base_url=base_url,
            api_key=api_key,
            language=language,
            timeouts=timeouts or Timeouts(),
            max_retries=max_retries,
        )
        self._driver = AsyncDriver(httpx.AsyncClient(transport=transport, trust_env=trust_env))
        self.webhooks = AsyncWebhooks(self._driver, self._connection)
        self.events = AsyncEvents(self._driver, self._connection)

    @classmethod
    def from_environment(cls, *, language: str | None = None, max_retries: int = 3) -> Self:
        """Return a client of GEN_VIDEO_BASE_URL and GEN_VIDEO_API_KEY.

        Example:
            >>> client = AsyncClient.from_environment()
        """
        base_url, api_key = read_environment()
        return cls(base_url, api_key, language=language, max_retries=max_retries)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def base_url(self) -> str:
        """Return the address of the service."""
        return self._connection.base_url

    async def close(self) -> None:
        """Close the connections.

        Example:
            >>> await client.close()
        """
        await self._driver.close()

    async def generate_image(
        self,
        prompt: str,
        *,
        image: Picture | None = None,
        wait: bool = True,
        timeout_seconds: float | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ImageOptions],
    ) -> Job:
        """Make pictures, and wait for them unless `wait` is False; see `Client.generate_image`.

        Example:
            >>> job = await client.generate_image("a lake", n=2, seed=7)
        """
        call = submit_image(prompt, [] if image is None else [image], None, options)
        waiting = Waiting(timeout_seconds=timeout_seconds, on_progress=on_progress)
        return await self._submit(call, waiting if wait else None)

    async def edit_image(
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
        """Change pictures by a prompt; see `Client.edit_image`.

        Example:
            >>> job = await client.edit_image("add a boat", "lake.png", mask="water.png")
        """
        call = submit_image(prompt, list_pictures(pictures), mask, options)
        waiting = Waiting(timeout_seconds=timeout_seconds, on_progress=on_progress)
        return await self._submit(call, waiting if wait else None)

    async def generate_video(
        self,
        prompt: str | None = None,
        *,
        scenes: Sequence[Scene] | None = None,
        wait: bool = True,
        timeout_seconds: float | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[VideoOptions],
    ) -> Job:
        """Make a video of a prompt, a first frame, or scenes; see `Client.generate_video`.

        Example:
            >>> job = await client.generate_video("waves", duration=2, fps=8)
        """
        call = submit_video(prompt, scenes, options)
        waiting = Waiting(timeout_seconds=timeout_seconds, on_progress=on_progress)
        return await self._submit(call, waiting if wait else None)

    async def get_job(self, job_id: str) -> Job:
        """Read a job.

        Example:
            >>> job = await client.get_job("job_4bDk2Qv9sTnW1xYz8aLm3P")
        """
        return await self._run(jobs.get_job(job_id))

    def list_jobs(
        self, *, limit: int | None = None, **filters: Unpack[JobFilters]
    ) -> AsyncIterator[Job]:
        """Yield jobs, newest first; further pages are fetched as they are needed.

        Example:
            >>> async for job in client.list_jobs(status="failed", limit=100):
            ...     print(job.id, job.error)
        """
        return self._driver.iterate(
            jobs.list_pages(self._connection, Job, "/jobs", filters=filters, limit=limit)
        )

    async def cancel(self, job: Job | str) -> Job:
        """Cancel a job that is not finished; its units come back.

        Example:
            >>> job = await client.cancel(job)
        """
        return await self._run(jobs.cancel_job(id_of(job)))

    async def delete(self, job: Job | str) -> Job:
        """Erase the files of a finished job.

        Example:
            >>> job = await client.delete(job)
        """
        return await self._run(jobs.delete_job(id_of(job)))

    async def wait(
        self,
        job: Job | str,
        *,
        timeout_seconds: float | None = None,
        on_progress: OnProgress | None = None,
    ) -> Job:
        """Wait for a job to end well, through cut connections; see `Client.wait`.

        Example:
            >>> job = await client.wait(job, timeout_seconds=600)
        """
        waiting = Waiting(timeout_seconds=timeout_seconds, on_progress=on_progress)
        return await self._driver.run(following.wait(self._connection, id_of(job), waiting))

    def stream(self, job: Job | str, *, after: int = 0) -> AsyncIterator[JobEvent]:
        """Yield the live events of a job until its end; see `Client.stream`.

        Example:
            >>> async for event in client.stream(job):
            ...     print(event.name, event.progress.percent)
        """
        return self._driver.iterate(following.stream(self._connection, id_of(job), after=after))

    async def download(
        self,
        what: Job | Output | str,
        path: str | Path = ".",
        *,
        on_progress: OnDownload | None = None,
    ) -> Path:
        """Save an output, or the first one of a job; see `Client.download`.

        Example:
            >>> path = await client.download(job, "lake.png")
        """
        steps = download_first(self._connection, what, Path(path), on_progress=on_progress)
        return await self._driver.run(steps)

    async def download_all(
        self, job: Job | str, folder: str | Path = ".", *, on_progress: OnDownload | None = None
    ) -> tuple[Path, ...]:
        """Save all outputs of a job in a folder that is there.

        Example:
            >>> paths = await client.download_all(job, "pictures")
        """
        steps = download_each(self._connection, job, Path(folder), on_progress=on_progress)
        return tuple([path async for path in self._driver.iterate(steps)])

    async def quota(self) -> Quota:
        """Read what is used and left today.

        Example:
            >>> left = (await client.quota()).images.remaining
        """
        return await self._run(jobs.get_quota())

    async def models(self) -> tuple[Model, ...]:
        """Read the models on offer.

        Example:
            >>> ids = [model.id for model in await client.models()]
        """
        return await self._run(jobs.list_models())

    async def loras(self) -> Loras:
        """Read the adapters on offer.

        Example:
            >>> styles = (await client.loras()).style
        """
        return await self._run(jobs.get_loras())

    async def _submit(self, call: Call[Job], waiting: Waiting | None) -> Job:
        return await self._driver.run(following.submit(self._connection, call, waiting))

    async def _run(self, call: Call[T]) -> T:
        return await self._driver.run(perform(self._connection, call))
