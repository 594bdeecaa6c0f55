"""The playground's video tab: a storyboard, and the film that comes of it."""

from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter, Request
from fastapi.responses import Response

from gen_video.console import drafts, references
from gen_video.console.cards import VIDEOS
from gen_video.console.drafts import SceneDraft, VideoDraft
from gen_video.console.routes.playground import accepted, find_job, look_around, read_fields
from gen_video.console.studio import Studio, choose_model, nearest_size, video_studio
from gen_video.console.video_form import FirstFrameSource, list_sources, read_video_form
from gen_video.console.views import render
from gen_video.console.visits import ServicesDep, SessionDep, Visit
from gen_video.engines.catalogue import TaskKind
from gen_video.generation.models import Job, VideoInput
from gen_video.generation.states import JobKind
from gen_video.generation.video_requests import (
    VideoRequest,
    VideoUnavailableError,
    resolve_video,
)
from gen_video.wiring import Services

router = APIRouter()


@router.get(VIDEOS)
async def show_video(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    *,
    model: str = "",
    again: str = "",
    like: str = "",
    reference: str = "",
) -> Response:
    """Show the tab: empty, with an earlier video's fields, or with what a picture shows."""
    job = await find_job(services, visit, again or like)
    catalogue = services.catalogue
    asked = job.model if again and job is not None else model
    own = ""
    if reference and catalogue.list_models(TaskKind.IMAGE_TO_VIDEO):
        own = await services.threads.run(references.find_own, services, visit.caller, reference)
    if own:
        usual = catalogue.default_video_model
        asked = choose_model(catalogue, TaskKind.IMAGE_TO_VIDEO, usual=usual, asked=asked)
    studio = video_studio(catalogue, asked, plan=visit.caller.plan)
    draft = None if studio is None else _draft(studio, job, own)
    return render(
        request,
        "pages/playground_video.html",
        studio=studio,
        draft=draft,
        around=await look_around(services, visit, JobKind.VIDEO),
    )


@router.post(VIDEOS + "/fields")
async def change_model(request: Request, visit: SessionDep, services: ServicesDep) -> Response:
    """Show the fields for another model; what it knows of the old ones stays."""
    fields = read_fields(await request.form())
    studio = video_studio(services.catalogue, fields.text("model") or "", plan=visit.caller.plan)
    if studio is None:
        raise VideoUnavailableError
    usual = drafts.new_video(studio.spec)
    kept = replace(
        usual,
        width=fields.whole("width") or usual.width,
        height=fields.whole("height") or usual.height,
        negative_prompt=fields.text("negative_prompt") or usual.negative_prompt,
        seed=fields.whole("seed"),
    )
    return render(
        request,
        "parts/video_fields.html",
        studio=studio,
        draft=drafts.fit_video(kept, studio.spec),
    )


@router.post(VIDEOS)
async def submit_video(request: Request, visit: SessionDep, services: ServicesDep) -> Response:
    """Ask for a video and show the job's card, which follows it from then on."""
    form = await request.form()
    fields = read_fields(form)
    frames = list_sources(fields, await references.read_files(form, "scene_image"))
    sources = [references.name_source(frame.file, frame.own_name) for frame in frames]
    wanted = read_video_form(fields, sources=sources)
    pngs = await _read_frames(services, visit, wanted, frames)
    submission = await services.threads.run(
        services.jobs.submit,
        visit.caller,
        wanted.with_references([len(png) for png in pngs]),
        references=b"".join(pngs) or None,
    )
    return accepted(request, services, submission.job)


async def _read_frames(
    services: Services, visit: Visit, wanted: VideoRequest, frames: Sequence[FirstFrameSource]
) -> list[bytes]:
    """Return the first frame of every scene as PNG, empty where it has none."""
    if not any(frames):
        return [b""] * len(frames)
    resolved = resolve_video(wanted, catalogue=services.catalogue, plan=visit.caller.plan)
    found = []
    for number, frame in enumerate(frames):
        reference = await references.read_picture(
            services,
            visit.caller,
            file=frame.file,
            own_name=frame.own_name,
            pointer=f"/scenes/{number}/image",
            cover=(resolved.width, resolved.height),
        )
        found.append(b"" if reference is None else reference.png)
    return found


def _draft(studio: Studio, job: Job | None, own: str) -> VideoDraft:
    draft = drafts.new_video(studio.spec)
    if job is not None and isinstance(job.input, VideoInput):
        draft = drafts.video_like(job.input, studio.spec)
    elif job is not None:
        draft = _like_picture(draft, studio, job)
    if own:
        first, *others = draft.scenes
        draft = replace(draft, scenes=(replace(first, image=own), *others))
    return drafts.fit_video(draft, studio.spec)


def _like_picture(draft: VideoDraft, studio: Studio, job: Job) -> VideoDraft:
    size = nearest_size(studio.presets, job)
    scene = SceneDraft(prompt=job.input.prompt, seconds=studio.usual_seconds)
    draft = replace(draft, scenes=(scene,))
    return draft if size is None else replace(draft, width=size.width, height=size.height)
