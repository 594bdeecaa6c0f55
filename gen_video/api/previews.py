"""Previews in event streams: what has been drawn since a client last looked."""

import base64

import structlog
from pydantic import BaseModel

from gen_video.errors import ServiceUnavailableError
from gen_video.generation.models import JobSnapshot, Preview
from gen_video.wiring import Services

log = structlog.get_logger(__name__)


class PreviewView(BaseModel):
    """A small picture of unfinished work / 未完成画面的预览图."""

    number: int
    step: int
    steps: int
    mime: str
    width: int
    height: int
    b64_json: str


class PreviewReader:
    """Reads a job's previews for one stream, each once and in order.

    Args:
        services: Whose jobs.
        job_id: Of a job that the client may see: whoever calls has checked that.
        seen: The number of the last preview that the client has.
    """

    def __init__(self, services: Services, job_id: str, *, seen: int = 0) -> None:
        self._services = services
        self._job_id = job_id
        self.seen = seen

    async def read_new(self, snapshot: JobSnapshot) -> tuple[Preview, ...]:
        """Return the previews that came since the last call; asks the database if there are any.

        While the database is away there are none: they come with a later call.
        """
        if snapshot.previews <= self.seen:
            return ()
        services = self._services
        try:
            found = await services.threads.run(
                services.jobs.list_previews, self._job_id, after=self.seen
            )
        except ServiceUnavailableError as error:
            log.warning("previews_not_read", job_id=self._job_id, reason=str(error))
            return ()
        # Those of an older attempt may have been erased, and no number comes twice.
        self.seen = max(self.seen, snapshot.previews, *(preview.number for preview in found))
        return found


def preview_view(preview: Preview) -> PreviewView:
    """Return a preview as events carry it."""
    return PreviewView(
        number=preview.number,
        step=preview.step,
        steps=preview.steps,
        mime=preview.mime,
        width=preview.width,
        height=preview.height,
        b64_json=base64.b64encode(preview.data).decode(),
    )
