"""Videos: the address is reserved, this version has no video engine."""

from typing import NoReturn

from fastapi import APIRouter

from gen_video.api.dependencies import SECURITY, CallerDep
from gen_video.api.v1 import PREFIX
from gen_video.errors import ServiceError

router = APIRouter(prefix=PREFIX, tags=["videos"], dependencies=SECURITY)


class VideoUnavailableError(ServiceError):
    """This version makes no videos."""

    code = "video_not_available"
    status = 501
    message_en = "This version makes no videos yet; pictures work. No quota was used."
    message_zh = "此版本尚不支持视频生成，图像生成可用。未扣除任何配额。"


@router.post(
    "/videos/generate",
    status_code=501,
    response_model=None,
    operation_id="generate_video",
    summary="Generate a video (not in this version) / 生成视频（此版本尚未提供）",
)
async def generate_video(_caller: CallerDep) -> NoReturn:
    """Answer `501 video_not_available`; takes no quota.

    返回 501，不扣配额。
    """
    raise VideoUnavailableError
