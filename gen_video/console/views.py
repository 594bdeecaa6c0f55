"""Templates become answers: in the visitor's language, with headers that let nothing foreign in."""

from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gen_video import __version__
from gen_video.console import navigation
from gen_video.console.assets import static_url
from gen_video.console.formats import Formats
from gen_video.console.languages import TAGS, load_translations
from gen_video.console.visits import Visit, visitor
from gen_video.errors import Language, ServiceError
from gen_video.wiring import Services

FOLDER = Path(__file__).with_name("templates")
HTMX = "hx-request"


def render(
    request: Request,
    name: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **facts: object,
) -> Response:
    """Return a page, or a part of one, made of a template.

    Args:
        request: What is answered; its visit is found by the dependencies of the route.
        name: Of the template, such as `pages/account.html`.
        status: Of the answer.
        headers: More headers of the answer.
        facts: What the template names, beside what every template has: `visit`, `csrf_token`,
            `path`, `static`, `sections`, `is_development`, `docs_path`, `version`.
    """
    services: Services = request.app.state.services
    visit: Visit = getattr(request.state, "visit", None) or visitor(request)
    text = render_text(
        name,
        language=visit.language,
        timezone=services.settings.business_timezone,
        facts=_common(request, services, visit) | facts,
    )
    answer = HTMLResponse(text, status_code=status, headers=dict(headers or {}))
    add_headers(answer, services)
    answer.headers["Content-Language"] = TAGS[visit.language]
    answer.headers["Vary"] = "Cookie, Accept-Language, HX-Request"
    return answer


def render_text(
    name: str, *, language: Language, timezone: ZoneInfo, facts: Mapping[str, object]
) -> str:
    """Return what a template says."""
    return _environment(language, timezone).get_template(name).render(facts)


def add_headers(answer: Response, services: Services) -> None:
    """Keep everything foreign out of a page, and the page out of everything foreign."""
    answer.headers["Content-Security-Policy"] = policy(_picture_origin(services))
    # Forms of a page that sends no referrer at all would come from the origin `null`.
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    answer.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"


@cache
def policy(pictures: str) -> str:
    """Return the content security policy.

    Args:
        pictures: Another origin that our files are read from; empty for none.
    """
    files = f" {pictures}" if pictures else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' data: blob:{files}",
            f"media-src 'self' blob:{files}",
            "connect-src 'self'",
            "font-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _picture_origin(services: Services) -> str:
    settings = services.settings
    if not settings.storage_url or settings.file_delivery != "redirect":
        return ""
    parts = urlsplit(settings.s3_public_endpoint or settings.s3_endpoint)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "https:"


def _common(request: Request, services: Services, visit: Visit) -> dict[str, object]:
    settings = services.settings
    has_docs = not settings.is_production if settings.docs_enabled is None else True
    return {
        "visit": visit,
        "csrf_token": visit.make_csrf_token(),
        "path": request.url.path,
        "query": request.url.query,
        "is_fragment": HTMX in request.headers,
        "sections": [
            section
            for section in navigation.SECTIONS
            if visit.is_admin or not section.is_for_admins
        ],
        "home_path": navigation.home_path(),
        "is_development": not settings.is_production,
        "docs_path": "/docs" if has_docs and settings.docs_enabled is not False else "",
        "version": __version__,
    }


@cache
def _environment(language: Language, timezone: ZoneInfo) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"],
    )
    install = environment.install_gettext_translations  # type: ignore[attr-defined]  # by i18n
    install(load_translations(language), newstyle=True)
    environment.filters.update(Formats(language, timezone).filters())
    environment.globals.update(
        static=static_url,
        language=language,
        language_tag=TAGS[language],
        message_of=partial(_message, language=language),
    )
    return environment


def _message(error: ServiceError, *, language: Language) -> str:
    return error.message(language)
