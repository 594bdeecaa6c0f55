"""The console's cookies: the session, and what a visitor chose to read and look at.

Over HTTPS the session's name begins with `__Host-`: browsers take it from this very host only, over
HTTPS only, for the whole of it. On a laptop without HTTPS that would be no cookie at all.
"""

from typing import Literal

from fastapi import Request, Response

from gen_video.accounts.sessions import LIFETIME

SECURE_SESSION, PLAIN_SESSION = "__Host-gv_session", "gv_session"
LANGUAGE, THEME = "gv_lang", "gv_theme"
CHOICE_SECONDS = 365 * 24 * 3600

Theme = Literal["auto", "light", "dark"]


def is_secure(request: Request) -> bool:
    """Tell whether cookies of this request travel over HTTPS."""
    settings = request.app.state.services.settings
    return (
        settings.is_production
        or request.url.scheme == "https"
        or settings.public_url.startswith("https://")
    )


def find_token(request: Request) -> str | None:
    """Return the session token that a browser sent."""
    return request.cookies.get(SECURE_SESSION if is_secure(request) else PLAIN_SESSION)


def keep_token(request: Request, response: Response, token: str) -> None:
    """Give a browser the token of its new session."""
    secure = is_secure(request)
    response.set_cookie(
        SECURE_SESSION if secure else PLAIN_SESSION,
        token,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def drop_token(request: Request, response: Response) -> None:
    """Take a browser's token away."""
    secure = is_secure(request)
    response.delete_cookie(
        SECURE_SESSION if secure else PLAIN_SESSION,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


def keep_choice(request: Request, response: Response, name: str, value: str) -> None:
    """Remember what a visitor chose."""
    response.set_cookie(
        name,
        value,
        max_age=CHOICE_SECONDS,
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def find_theme(request: Request) -> Theme:
    """Return the colours that a visitor chose; `auto` follows the device."""
    match request.cookies.get(THEME):
        case "light":
            return "light"
        case "dark":
            return "dark"
        case _:
            return "auto"
