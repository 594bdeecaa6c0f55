"""What a visitor chooses: the language and the colours."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gen_video.console import cookies
from gen_video.console.returns import safe_path

router = APIRouter()


@router.post("/preferences/language")
async def choose_language(
    request: Request,
    language: Annotated[Literal["en", "zh"], Form()],
    back: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Keep the language, and show the same page in it."""
    answer = RedirectResponse(safe_path(back), status_code=303)
    cookies.keep_choice(request, answer, cookies.LANGUAGE, language)
    return answer


@router.post("/preferences/theme")
async def choose_theme(
    request: Request,
    theme: Annotated[Literal["auto", "light", "dark"], Form()],
    back: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Keep the colours, and show the same page in them."""
    answer = RedirectResponse(safe_path(back), status_code=303)
    cookies.keep_choice(request, answer, cookies.THEME, theme)
    return answer
