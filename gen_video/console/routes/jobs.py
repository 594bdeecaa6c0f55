"""One job: its page, its card, its progress, and what its owner may do with it."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from gen_video.console import progress_events
from gen_video.console.cards import card_of
from gen_video.console.snippets import list_snippets
from gen_video.console.timeline import list_moments
from gen_video.console.views import HTMX, render
from gen_video.console.visits import ServicesDep, SessionDep, WatchDep
from gen_video.generation.models import Job

PATH = "/console/jobs/{job_id}"
QUOTA_CHANGED = {"HX-Trigger": "quota-changed"}
CARD = "parts/job_card.html"

router = APIRouter()


@router.get(PATH)
async def show_job(
    request: Request, visit: SessionDep, services: ServicesDep, job_id: str
) -> Response:
    """Show a job with its parameters, its timeline and its cost."""
    job = await services.threads.run(services.jobs.get, visit.caller, job_id)
    return render(
        request,
        "pages/job.html",
        card=card_of(job),
        moments=list_moments(job),
        spec=services.catalogue.find(job.model),
    )


@router.get(PATH + "/code")
async def show_code(
    request: Request, visit: SessionDep, services: ServicesDep, job_id: str
) -> Response:
    """Show the calls that make a job again."""
    job = await services.threads.run(services.jobs.get, visit.caller, job_id)
    base_url = (services.settings.public_url or str(request.base_url)).rstrip("/")
    return render(
        request,
        "parts/snippets.html",
        job_id=job.id,
        snippets=list_snippets(job, base_url=base_url),
    )


@router.get(PATH + "/card")
async def show_card(
    request: Request, visit: SessionDep, services: ServicesDep, job_id: str
) -> Response:
    """Show a job's card as it is now; its progress led here, or its end."""
    job = await services.threads.run(services.jobs.get, visit.caller, job_id)
    return _card(request, job)


@router.post(PATH + "/cancel")
async def cancel_job(
    request: Request, visit: SessionDep, services: ServicesDep, job_id: str
) -> Response:
    """Cancel a job; the quota comes back."""
    job = await services.threads.run(services.jobs.cancel, visit.caller, job_id)
    return _card(request, job)


@router.post(PATH + "/delete")
async def delete_job(
    request: Request, visit: SessionDep, services: ServicesDep, job_id: str
) -> Response:
    """Erase the files of a finished job."""
    job = await services.threads.run(services.jobs.delete, visit.caller, job_id)
    return _card(request, job)


@router.get(PATH + "/events")
async def follow_job(
    visit: SessionDep, services: ServicesDep, watch: WatchDep, job_id: str
) -> StreamingResponse:
    """Stream how far a job is."""
    await services.threads.run(services.jobs.get, visit.caller, job_id)
    events = progress_events.follow(services, watch, caller=visit.caller, job_id=job_id)
    return StreamingResponse(
        events,
        media_type=progress_events.EVENT_STREAM,
        headers=progress_events.STREAM_HEADERS,
    )


def _card(request: Request, job: Job) -> Response:
    """Show a card where it stood; to a browser without scripts the whole page."""
    if request.method == "POST" and HTMX not in request.headers:
        return RedirectResponse(card_of(job).url, status_code=HTTPStatus.SEE_OTHER)
    return render(request, CARD, headers=QUOTA_CHANGED, card=card_of(job))
