"""`/docs`, `/redoc` and the OpenAPI document, all served by us: they work without internet."""

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from gen_video.api.caching import TaggedFiles, cacheable_json
from gen_video.api.document import build_document

STATIC_FOLDER = Path(__file__).with_name("static")
STATIC_PATH = "/static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Both viewers set styles from their scripts; neither may run or fetch anything foreign."""

PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gen_video API · 接口文档</title>
<link rel="icon" href="data:,">
{head}
</head>
<body>
{body}
</body>
</html>
"""

router = APIRouter(include_in_schema=False)


def install(app: FastAPI) -> None:
    """Add the pages to an application."""
    app.mount(STATIC_PATH, TaggedFiles(directory=STATIC_FOLDER), name="static")
    app.include_router(router)


@router.get("/openapi.json")
async def get_openapi(request: Request) -> Response:
    """Return the OpenAPI document."""
    return cacheable_json(request, build_document(request.app), is_private=False)


@router.get("/docs")
async def get_docs() -> Response:
    """Show the document so that calls can be tried."""
    folder = f"{STATIC_PATH}/swagger-ui"
    return _page(
        head=f'<link rel="stylesheet" href="{folder}/swagger-ui.css">',
        body=(
            '<div id="swagger-ui"></div>\n'
            f'<script src="{folder}/swagger-ui-bundle.js"></script>\n'
            f'<script src="{STATIC_PATH}/docs.js"></script>'
        ),
    )


@router.get("/redoc")
async def get_redoc() -> Response:
    """Show the document for reading."""
    folder = f"{STATIC_PATH}/redoc"
    return _page(
        head="<style>body { margin: 0 }</style>",
        body=(
            '<div id="redoc"></div>\n'
            f'<script src="{folder}/redoc.standalone.js"></script>\n'
            f'<script src="{STATIC_PATH}/redoc.js"></script>'
        ),
    )


def _page(*, head: str, body: str) -> Response:
    return HTMLResponse(
        PAGE.format(head=head, body=body),
        headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"},
    )
