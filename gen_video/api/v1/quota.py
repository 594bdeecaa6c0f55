"""Today's quota: `GET /quota`."""

from fastapi import APIRouter, Response

from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep
from gen_video.api.v1 import PREFIX
from gen_video.api.v1.answers import quota_headers
from gen_video.api.v1.shapes import QuotaReply
from gen_video.api.v1.views import quota_reply

router = APIRouter(prefix=PREFIX, tags=["quota"], dependencies=SECURITY)


@router.get("/quota", operation_id="get_quota", summary="Today's quota / 今日配额")
async def get_quota(caller: CallerDep, services: ServicesDep, response: Response) -> QuotaReply:
    """Say what is used, reserved and left today, and when the day ends.

    查询今日已用、占用与剩余的配额，以及重置时间。
    """
    view = await services.threads.run(services.quotas.read, caller)
    response.headers.update(
        quota_headers(services, caller, kind="image", remaining=view.images.remaining)
    )
    return quota_reply(view, user_id=caller.account_name, tier=caller.plan.tier)
