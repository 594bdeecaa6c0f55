"""Events: what happened to an account's jobs, for those who would rather ask than be told."""

from fastapi import APIRouter

from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep
from gen_video.api.v1 import PREFIX
from gen_video.api.v1.webhook_shapes import EventListView, EventView, JobEventName
from gen_video.api.v1.webhook_views import event_view
from gen_video.api.v1.webhooks import After, Limit
from gen_video.webhooks.models import EventType

router = APIRouter(prefix=f"{PREFIX}/events", tags=["webhooks"], dependencies=SECURITY)


@router.get("", operation_id="list_events", summary="What happened / 事件列表")
async def list_events(
    caller: CallerDep,
    services: ServicesDep,
    *,
    limit: Limit = 20,
    after: After = None,
    type: JobEventName | None = None,  # noqa: A002 - its name on the wire
) -> EventListView:
    """List events by page, newest first; kept for 30 days.

    分页列出事件，由新到旧，保留 30 天。
    """
    page = await services.threads.run(
        services.webhooks.list_events,
        caller,
        limit=limit,
        after=after,
        event_type=None if type is None else EventType(type),
    )
    data = [event_view(event) for event in page.events]
    return EventListView(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=page.has_more,
    )


@router.get("/{event_id}", operation_id="get_event", summary="One event / 查询事件")
async def get_event(event_id: str, caller: CallerDep, services: ServicesDep) -> EventView:
    """Read an event; its `data` is what webhooks are sent.

    查询事件；`data` 与 webhook 收到的内容一致。
    """
    return event_view(await services.threads.run(services.webhooks.get_event, caller, event_id))
