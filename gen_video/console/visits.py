"""Who looks at a page, and what pages ask for: anybody, somebody signed in, an admin."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from gen_video.accounts import sessions
from gen_video.accounts.models import Caller, Role, SignedIn
from gen_video.console import cookies, csrf
from gen_video.console.cookies import Theme
from gen_video.console.languages import language_of
from gen_video.errors import Language, NotFoundError, ServiceError
from gen_video.generation.watch import JobWatch
from gen_video.throttles.policy import account_bucket, account_rate
from gen_video.wiring import Services

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class SignedOutError(ServiceError):
    """The page is for somebody who is signed in; browsers are sent to the sign-in page."""

    code = "signed_out"
    status = 401
    message_en = "You are signed out. Sign in and try again."
    message_zh = "您已退出登录，请登录后重试。"


class ForeignRequestError(ServiceError):
    """A request that changes something did not come from one of our pages."""

    code = "foreign_request"
    status = 403
    message_en = (
        "This request did not come from a page of this console, or the page was opened in another "
        "session. Load the page again and retry. Behind a proxy, GEN_VIDEO_PUBLIC_URL must be the "
        "address that browsers use."
    )
    message_zh = (
        "该请求并非来自本控制台的页面，或页面属于另一次登录。请刷新页面后重试。"
        "若经代理访问，GEN_VIDEO_PUBLIC_URL 须为浏览器所用的地址。"
    )


class TooManyRequestsError(ServiceError):
    """The account changes things more often than its plan allows."""

    code = "rate_limited"
    status = 429
    is_retryable = True
    message_en = "Too many requests: wait {seconds} s, then try again."
    message_zh = "操作过于频繁，请等待 {seconds} 秒后重试。"

    def __init__(self, seconds: int) -> None:
        super().__init__(retry_after_seconds=seconds, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of a browser.

    Attributes:
        signed_in: Who it is, None for a visitor.
        secret: What its CSRF tokens are made of; empty for a visitor.
    """

    language: Language
    theme: Theme
    signed_in: SignedIn | None = None
    secret: bytes = field(default=b"", repr=False)

    @property
    def is_admin(self) -> bool:
        """Tell whether an operator is looking."""
        return self.signed_in is not None and self.signed_in.role is Role.ADMIN

    @property
    def account(self) -> SignedIn:
        """Return who is signed in.

        Raises:
            SignedOutError: Nobody is.
        """
        if self.signed_in is None:
            raise SignedOutError
        return self.signed_in

    @property
    def caller(self) -> Caller:
        """Return who asks the services.

        Raises:
            SignedOutError: Nobody is signed in.
        """
        return self.account.caller

    def make_csrf_token(self) -> str:
        """Return a token for a page; empty for a visitor."""
        return csrf.make_token(self.secret) if self.secret else ""


def visitor(request: Request) -> Visit:
    """Return the visit of somebody unknown: what can be said without the database."""
    return Visit(language=language_of(request), theme=cookies.find_theme(request))


async def get_services(request: Request) -> Services:
    """Return the services of this process."""
    services: Services = request.app.state.services
    return services


async def get_watch(request: Request) -> JobWatch:
    """Return the job watch of this process."""
    watch: JobWatch = request.app.state.watch
    return watch


ServicesDep = Annotated[Services, Depends(get_services)]
WatchDep = Annotated[JobWatch, Depends(get_watch)]


async def find_visit(request: Request, services: ServicesDep) -> Visit:
    """Return who looks at a page; the database is asked once per request."""
    known: Visit | None = getattr(request.state, "visit", None)
    if known is not None:
        return known
    visit = visitor(request)
    token = cookies.find_token(request)
    signed_in = await services.threads.run(services.sign_ins.find, token) if token else None
    if token and signed_in:
        visit = Visit(
            language=visit.language,
            theme=visit.theme,
            signed_in=signed_in,
            secret=sessions.csrf_secret(token),
        )
    request.state.visit = visit
    return visit


VisitDep = Annotated[Visit, Depends(find_visit)]


async def require_session(visit: VisitDep) -> Visit:
    """Return the visit of somebody who is signed in.

    Raises:
        SignedOutError: Nobody is.
    """
    if visit.signed_in is None:
        raise SignedOutError
    return visit


SessionDep = Annotated[Visit, Depends(require_session)]


async def require_admin(visit: SessionDep) -> Visit:
    """Return the visit of an admin; for everybody else there is no such page.

    Raises:
        SignedOutError: Nobody is signed in.
        NotFoundError: It is no admin.
    """
    if not visit.is_admin:
        raise NotFoundError
    return visit


AdminDep = Annotated[Visit, Depends(require_admin)]


async def require_own_page(request: Request) -> None:
    """Let requests that change something through only from our own pages.

    Raises:
        ForeignRequestError: It comes from elsewhere, or nobody knows where from.
    """
    if request.method in SAFE_METHODS:
        return
    own = csrf.own_origins(
        scheme=request.url.scheme,
        host=request.headers.get("host", ""),
        public_url=request.app.state.services.settings.public_url,
    )
    if not csrf.is_own_page(request.headers, own):
        raise ForeignRequestError


async def require_token(request: Request, visit: VisitDep, services: ServicesDep) -> None:
    """Let requests that change something through only with a token of the same session.

    Raises:
        SignedOutError: There is no session.
        ForeignRequestError: There is no token, or another session's.
        TooManyRequestsError: The account's plan allows no more just now.
    """
    if request.method in SAFE_METHODS:
        return
    if visit.signed_in is None:
        raise SignedOutError
    token = request.headers.get(csrf.HEADER) or await _read_field(request)
    if not csrf.is_token_of(visit.secret, token):
        raise ForeignRequestError
    await _count(services, visit.caller)


async def _read_field(request: Request) -> str:
    kind = request.headers.get("content-type", "")
    if not kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        return ""
    value = (await request.form()).get(csrf.FIELD)
    return value if isinstance(value, str) else ""


async def _count(services: Services, caller: Caller) -> None:
    rate = account_rate(caller.plan.requests_per_minute)
    if services.throttle is None or rate is None:
        return
    verdict = await services.throttle.take(account_bucket(caller.account_id), rate)
    if not verdict.is_allowed:
        raise TooManyRequestsError(max(1, round(verdict.reset_after_seconds)))
