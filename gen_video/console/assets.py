"""Static files: their addresses change with their bytes, so browsers may keep them for good."""

import hashlib
from functools import lru_cache
from os import PathLike, stat_result
from pathlib import Path
from urllib.parse import parse_qs

from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

FOLDER = Path(__file__).with_name("static")
PATH = "/console/static"
FOR_GOOD = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


def static_url(name: str) -> str:
    """Return the address of a static file of this version.

    Raises:
        FileNotFoundError: There is none of that name.
    """
    file = FOLDER / name
    return f"{PATH}/{name}?v={_digest(file, file.stat().st_mtime_ns)}"


@lru_cache(maxsize=512)
def _digest(file: Path, _changed_at: int) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


class Assets(StaticFiles):
    """The static files; what is asked for without a version is compared by its tag each time."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    @override
    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        answer = super().file_response(full_path, stat_result, scope, status_code)
        asked = parse_qs(scope.get("query_string", b"").decode("ascii", "replace")).get("v", [""])
        is_this = asked[0] == _digest(Path(full_path), stat_result.st_mtime_ns)
        answer.headers["Cache-Control"] = FOR_GOOD if is_this else REVALIDATE
        return answer
