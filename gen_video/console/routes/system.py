"""Owner pages: the parts of the service, the machine, and what is wrong with either."""

from fastapi import APIRouter, Request, Response

from gen_video.console.navigation import N_
from gen_video.console.routes.overview import PATH, read_health
from gen_video.console.views import render
from gen_video.console.visits import AdminDep, ServicesDep
from gen_video.insights.machine import MachineFacts, read_machine
from gen_video.wiring import Services

SYSTEM_PATH = f"{PATH}/system"
PARTS = {
    "database": N_("Database"),
    "storage": N_("Files"),
    "queue": N_("Queue"),
    "engine": N_("Workers"),
}
FINDINGS = {
    "ok": N_("Works"),
    "low_space": N_("Little room is left. Free some, or move the files to another disk."),
    "full": N_("The disk is full. Nothing can be stored until there is room."),
    "unavailable": N_("It does not answer. Look at its log and at the settings that name it."),
    "no_worker": N_("No worker is alive. Start one with: gen-video worker"),
}

router = APIRouter(prefix=SYSTEM_PATH)


@router.get("")
async def get_system(request: Request, _visit: AdminDep, services: ServicesDep) -> Response:
    """Show how the parts are and what the machine has."""
    health = await read_health(request)
    machine = await services.threads.run(_read, services)
    return render(
        request,
        "pages/system.html",
        health=health,
        parts={name: getattr(health.checks, name) for name in PARTS},
        part_words=PARTS,
        finding_words=FINDINGS,
        machine=machine,
        database=services.journal_note,
        settings=services.settings,
        workers=await services.threads.run(services.workforce.list_workers),
        silent=services.dispatcher is None,
    )


def _read(services: Services) -> MachineFacts:
    settings = services.settings
    folders = {"data": settings.data_dir}
    if not settings.storage_url:
        folders["files"] = settings.output_dir
    return read_machine(folders)
