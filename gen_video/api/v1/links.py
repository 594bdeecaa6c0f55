"""The addresses of files in answers; where files are read by signed links only, they carry one."""

from collections.abc import Callable

from fastapi import Request

from gen_video.api.v1 import PREFIX
from gen_video.clock import utc_now
from gen_video.generation.models import Artifact
from gen_video.wiring import Services

FileUrl = Callable[[Artifact], str]


def file_url(artifact: Artifact) -> str:
    """Return the address of a finished file."""
    return f"{PREFIX}/files/{artifact.public_name}"


def file_urls(services: Services) -> FileUrl:
    """Return what makes the addresses of one answer."""
    if services.settings.file_access != "signed":
        return file_url
    now = utc_now().timestamp()

    def signed_url(artifact: Artifact) -> str:
        query = services.links.query(artifact.public_name, now=now)
        return f"{file_url(artifact)}?{query}"

    return signed_url


def own_address(request: Request, services: Services) -> str:
    """Return the address of this service, as the operator or else the client wrote it."""
    return (services.settings.public_url or str(request.base_url)).rstrip("/")
