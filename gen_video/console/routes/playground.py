"""The playground's picture tab: ask for pictures and watch them come."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from gen_video.console import drafts, references
from gen_video.console.cards import PICTURES, Card, card_of
from gen_video.console.drafts import PictureDraft
from gen_video.console.fields import FormFields
from gen_video.console.picture_form import read_picture_form
from gen_video.console.studio import EXAMPLES, Studio, choose_model, picture_studio
from gen_video.console.views import render
from gen_video.console.visits import ServicesDep, SessionDep, Visit
from gen_video.engines.catalogue import TaskKind
from gen_video.generation.hints import Hint, find_all_hints
from gen_video.generation.models import ImageInput, Job
from gen_video.generation.states import JobKind
from gen_video.ids import is_id
from gen_video.quotas.models import QuotaView
from gen_video.wiring import Services

RECENT = 6
QUOTA = "/console/quota"

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What both tabs show beside their fields."""

    quota: QuotaView
    cards: tuple[Card, ...]
    examples: tuple[str, ...]


@router.get(PICTURES)
async def show_pictures(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    *,
    model: str = "",
    again: str = "",
    reference: str = "",
) -> Response:
    """Show the tab: empty, with an earlier job's fields, or with a picture to start from."""
    job = await find_job(services, visit, again)
    own = await _find_own(services, visit, reference)
    asked = model if job is None else job.model
    if own:
        catalogue = services.catalogue
        asked = choose_model(
            catalogue,
            TaskKind.IMAGE_TO_IMAGE,
            usual=catalogue.default_image_model,
            asked=asked,
        )
    studio = _studio(services, visit, asked)
    draft = drafts.new_picture(studio.spec)
    if job is not None and isinstance(job.input, ImageInput):
        draft = drafts.picture_like(job.input, studio.spec, adapters=services.adapters)
    draft = drafts.fit_picture(draft, studio.spec, plan=visit.caller.plan)
    return render(
        request,
        "pages/playground.html",
        studio=studio,
        draft=replace(draft, reference=own),
        is_reference_lost=_is_edit(job) and not own,
        around=await look_around(services, visit, JobKind.IMAGE),
    )


@router.post(PICTURES + "/fields")
async def change_model(request: Request, visit: SessionDep, services: ServicesDep) -> Response:
    """Show the fields for another model; what it knows of the old ones stays."""
    fields = read_fields(await request.form())
    studio = _studio(services, visit, fields.text("model") or "")
    usual = drafts.new_picture(studio.spec)
    kept = PictureDraft(
        model=studio.spec.id,
        width=fields.whole("width") or usual.width,
        height=fields.whole("height") or usual.height,
        num_inference_steps=usual.num_inference_steps,
        guidance_scale=usual.guidance_scale,
        negative_prompt=fields.text("negative_prompt") or usual.negative_prompt,
        seed=fields.whole("seed"),
        n=fields.whole("n") or 1,
        strength=usual.strength,
    )
    draft = drafts.fit_picture(kept, studio.spec, plan=visit.caller.plan)
    return render(request, "parts/picture_fields.html", studio=studio, draft=draft)


@router.post(PICTURES)
async def submit_pictures(request: Request, visit: SessionDep, services: ServicesDep) -> Response:
    """Ask for pictures and show the job's card, which follows it from then on."""
    form = await request.form()
    fields = read_fields(form)
    files = await references.read_files(form, "reference_image")
    reference = await references.read_picture(
        services,
        visit.caller,
        file=next(iter(files), b""),
        own_name=fields.text("reference") or "",
        pointer="/reference_image",
    )
    wanted = read_picture_form(
        fields, reference_sha256=None if reference is None else reference.sha256
    )
    submission = await services.threads.run(
        services.jobs.submit,
        visit.caller,
        wanted,
        references=None if reference is None else reference.png,
    )
    return accepted(request, services, submission.job)


@router.get(QUOTA)
async def show_quota(request: Request, visit: SessionDep, services: ServicesDep) -> Response:
    """Show what is left of today."""
    quota = await services.threads.run(services.quotas.read, visit.caller)
    return render(request, "parts/quota.html", quota=quota)


def accepted(request: Request, services: Services, job: Job) -> Response:
    """Show the card of a job that was just accepted, with advice if there is any."""
    hints: Sequence[Hint] = find_all_hints(
        job.input.prompts, model=job.model, catalogue=services.catalogue
    )
    return render(
        request,
        "parts/job_card.html",
        headers={"HX-Trigger": "quota-changed"},
        card=card_of(job),
        hints=hints,
    )


async def look_around(services: Services, visit: Visit, kind: JobKind) -> Around:
    """Return what both tabs show beside their fields."""
    quota = await services.threads.run(services.quotas.read, visit.caller)
    recent = await services.threads.run(
        services.jobs.list_jobs, visit.caller, limit=RECENT, kind=kind
    )
    return Around(
        quota=quota,
        cards=tuple(card_of(job) for job in recent.jobs),
        examples=EXAMPLES[visit.language],
    )


async def find_job(services: Services, visit: Visit, job_id: str) -> Job | None:
    """Return an earlier job of the visitor; None when none is named.

    Raises:
        JobNotFoundError: Missing or foreign.
    """
    if not is_id(job_id, "job"):
        return None
    return await services.threads.run(services.jobs.get, visit.caller, job_id)


def read_fields(form: FormData) -> FormFields:
    """Return the text fields of a form."""
    values: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            values.setdefault(name, []).append(value)
    return FormFields(values)


async def _find_own(services: Services, visit: Visit, name: str) -> str:
    if not name:
        return ""
    return await services.threads.run(references.find_own, services, visit.caller, name)


def _is_edit(job: Job | None) -> bool:
    """Tell whether a job began with a picture, which is not kept once the job has ended."""
    return job is not None and isinstance(job.input, ImageInput) and job.input.strength is not None


def _studio(services: Services, visit: Visit, model: str) -> Studio:
    return picture_studio(
        services.catalogue, model, plan=visit.caller.plan, adapters=services.adapters
    )
