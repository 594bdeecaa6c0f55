"""Errors for people: a page that says what happened and what to do, or a part of one for htmx."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from gen_video.console.languages import language_of
from gen_video.console.views import HTMX, add_headers, render
from gen_video.errors import Language

PATHS = ("/console/", "/sign-in", "/sign-out", "/preferences")
OTHER_FACES = ("/api/", "/v1/", "/static/", "/metrics", "/openapi.json")
SIGN_IN_PATH = "/sign-in"
KEPT = ("retry-after", "allow", "ratelimit", "ratelimit-policy")


class ProblemPages:
    """What the errors of a web process look like in a browser."""

    def takes(self, request: Request) -> bool:
        """Tell whether an error is for somebody who looks at a page."""
        path = request.url.path
        if path in {"/", "/console"} or path.startswith(PATHS):
            return "application/json" not in request.headers.get("accept", "")
        if path.startswith(OTHER_FACES):
            return False
        return "text/html" in request.headers.get("accept", "")

    def language_of(self, request: Request) -> Language:
        """Return what the visitor reads."""
        return language_of(request)

    def show(
        self,
        request: Request,
        *,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[Mapping[str, str]],
        headers: Mapping[str, str],
    ) -> Response:
        """Return the answer to a request that failed."""
        if status == HTTPStatus.UNAUTHORIZED and code == "signed_out":
            return _lead_to_sign_in(request)
        is_fragment = HTMX in request.headers
        answer = render(
            request,
            "parts/problem.html" if is_fragment else "pages/problem.html",
            status=status,
            headers={name: text for name, text in headers.items() if name.lower() in KEPT},
            code=code,
            detail=detail,
            problems=[problem["detail"] for problem in errors],
            request_id=getattr(request.state, "request_id", ""),
            http_status=status,
        )
        if is_fragment:
            answer.headers["HX-Retarget"] = "#toasts"
            answer.headers["HX-Reswap"] = "afterbegin"
        return answer


def _lead_to_sign_in(request: Request) -> Response:
    is_page = request.method in {"GET", "HEAD"} and HTMX not in request.headers
    target = SIGN_IN_PATH
    if is_page:
        query = f"?{request.url.query}" if request.url.query else ""
        target = f"{SIGN_IN_PATH}?next={quote(request.url.path + query)}"
    answer: Response
    if HTMX in request.headers:
        answer = Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": target})
    else:
        answer = RedirectResponse(target, status_code=HTTPStatus.SEE_OTHER)
    add_headers(answer, request.app.state.services)
    return answer
