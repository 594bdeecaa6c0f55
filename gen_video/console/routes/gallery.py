"""The gallery: every job of an account with what it made, searched, filtered, downloaded."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response, StreamingResponse

from gen_video.clock import utc_now
from gen_video.console import archives
from gen_video.console.cards import STATE_WORDS, card_of
from gen_video.console.routes.files import send_chunks
from gen_video.console.views import HTMX, render
from gen_video.console.visits import ServicesDep, SessionDep, Visit
from gen_video.generation.errors import JobNotFoundError
from gen_video.generation.models import Job
from gen_video.generation.states import JobKind, JobState
from gen_video.ids import is_id
from gen_video.wiring import Services

PATH = "/console/gallery"
PAGE = 24
MAX_SEARCH = 200

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is looked for; empty for everything."""

    search: str = ""
    kind: str = ""
    state: str = ""
    model: str = ""

    @property
    def is_empty(self) -> bool:
        """Tell whether everything is shown."""
        return not (self.search or self.kind or self.state or self.model)

    def url(self, **more: str) -> str:
        """Return the address of a page of what is looked for."""
        given = {
            "search": self.search,
            "kind": self.kind,
            "state": self.state,
            "model": self.model,
        }
        query = urlencode({name: text for name, text in (given | more).items() if text})
        return f"{PATH}?{query}" if query else PATH


@router.get(PATH)
async def show_gallery(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    *,
    search: Annotated[str, Query()] = "",
    kind: Annotated[str, Query()] = "",
    state: Annotated[str, Query()] = "",
    model: Annotated[str, Query()] = "",
    after: Annotated[str, Query()] = "",
) -> Response:
    """Show a page of jobs, the newest first; what follows is fetched as one scrolls."""
    filters = Filters(
        search=clean_search(search),
        kind=kind if kind in list(JobKind) else "",
        state=state if state in list(JobState) else "",
        model=model if services.catalogue.find(model) else "",
    )
    page = await services.threads.run(
        services.jobs.list_jobs,
        visit.caller,
        limit=PAGE,
        after=after or None,
        search=filters.search,
        kind=JobKind(filters.kind) if filters.kind else None,
        state=JobState(filters.state) if filters.state else None,
        model=filters.model or None,
    )
    is_more = bool(after) and HTMX in request.headers
    return render(
        request,
        "parts/gallery_tiles.html" if is_more else "pages/gallery.html",
        cards=[card_of(job) for job in page.jobs],
        next_url=filters.url(after=page.jobs[-1].id) if page.has_more else "",
        filters=filters,
        states=STATE_WORDS,
        models=services.catalogue.list_models(),
        is_first=not after,
        most_jobs=archives.MAX_JOBS,
    )


@router.get(PATH + "/tile/{job_id}")
async def show_tile(
    request: Request, visit: SessionDep, services: ServicesDep, job_id: str
) -> Response:
    """Show the tile of one job as it is now; that of a job that waits or runs asks for it."""
    job = await services.threads.run(services.jobs.get, visit.caller, job_id)
    return render(request, "parts/gallery_tile.html", card=card_of(job), pickable=True)


@router.post(PATH + "/archive")
async def download_archive(
    visit: SessionDep, services: ServicesDep, job: Annotated[list[str], Form()]
) -> StreamingResponse:
    """Send the files of the chosen jobs as one archive, made on the way."""
    jobs = await services.threads.run(_read_jobs, services, visit, job)
    entries = archives.list_entries(jobs)
    name = f"gen_video-{utc_now():%Y%m%d-%H%M%S}.zip"
    return StreamingResponse(
        send_chunks(archives.pack(entries, services.objects.read)),
        media_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
        },
    )


def clean_search(text: str) -> str:
    """Return what a database can be asked for: no control characters, not too long."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:MAX_SEARCH].strip()


def _read_jobs(services: Services, visit: Visit, job_ids: list[str]) -> list[Job]:
    wanted = list(dict.fromkeys(job_ids))[: archives.MAX_JOBS]
    if not all(is_id(job_id, "job") for job_id in wanted):
        raise JobNotFoundError
    return [services.jobs.get(visit.caller, job_id) for job_id in wanted]
