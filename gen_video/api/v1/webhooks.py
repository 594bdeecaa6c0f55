"""Webhooks: add, list, change, remove; secrets, deliveries, replay."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from gen_video.api.bodies import check_fields, read_body
from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep
from gen_video.api.v1 import PREFIX
from gen_video.api.v1.webhook_shapes import (
    DeliveryListView,
    DeliveryView,
    NewWebhookView,
    RotatedSecretView,
    SecretView,
    Status,
    WebhookChanges,
    WebhookFields,
    WebhookListView,
    WebhookView,
    webhook_body,
)
from gen_video.api.v1.webhook_views import (
    delivery_view,
    new_webhook_view,
    rotated_view,
    webhook_view,
)
from gen_video.webhooks.changes import EndpointChanges
from gen_video.webhooks.models import DeliveryState, EventType

router = APIRouter(prefix=f"{PREFIX}/webhooks", tags=["webhooks"], dependencies=SECURITY)

DISABLED: dict[int | str, dict[str, Any]] = {
    409: {"description": "The webhook is disabled: enable it first / webhook 已停用，请先启用"}
}
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(max_length=64, description="`last_id` of a page")]


@router.post(
    "",
    status_code=201,
    openapi_extra=webhook_body(WebhookFields),
    operation_id="create_webhook",
    summary="Add a webhook / 新建 webhook",
    responses={409: {"description": "There are as many as may be / webhook 数量已达上限"}},
)
async def create_webhook(
    request: Request, response: Response, caller: CallerDep, services: ServicesDep
) -> NewWebhookView:
    """Add an address that is told when jobs end. The secret is shown only in this answer.

    Requests are signed by Standard Webhooks; at most 20 webhooks per account.

    新建任务结束时通知的地址。密钥仅在此响应中显示；签名遵循 Standard Webhooks，每个账户最多 20 个。
    """
    fields = check_fields(await read_body(request), WebhookFields)
    # The name is looked up, which may take seconds: not on the threads of everybody's requests.
    made = await services.errands.run(
        caller.account_id,
        services.webhooks.create,
        caller,
        url=fields.url,
        events=_types(fields.events),
        description=fields.description or "",
    )
    response.headers["Location"] = f"{PREFIX}/webhooks/{made.endpoint.id}"
    return new_webhook_view(made)


@router.get("", operation_id="list_webhooks", summary="Your webhooks / webhook 列表")
async def list_webhooks(
    caller: CallerDep, services: ServicesDep, *, limit: Limit = 20, after: After = None
) -> WebhookListView:
    """List webhooks by page, newest first.

    分页列出 webhook，由新到旧。
    """
    page = await services.threads.run(
        services.webhooks.list_endpoints, caller, limit=limit, after=after
    )
    data = [webhook_view(endpoint) for endpoint in page.endpoints]
    return WebhookListView(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=page.has_more,
    )


@router.get(
    "/signing-secret",
    operation_id="get_signing_secret",
    summary="Secret of per-job webhooks / 任务级 webhook 的密钥",
)
async def get_signing_secret(caller: CallerDep, services: ServicesDep) -> SecretView:
    """Read the account's secret: it signs what goes to the `webhook` that a request names.

    查询账户密钥：用于验证发往请求中 `webhook` 地址的通知。
    """
    secret = await services.threads.run(services.webhooks.get_account_secret, caller)
    return SecretView(secret=secret)


@router.post(
    "/signing-secret/rotate",
    operation_id="rotate_signing_secret",
    summary="New secret of per-job webhooks / 更换任务级密钥",
)
async def rotate_signing_secret(caller: CallerDep, services: ServicesDep) -> RotatedSecretView:
    """Replace the account's secret; the one before signs too for 24 hours.

    更换账户密钥，旧密钥 24 小时内同时有效。
    """
    return rotated_view(await services.threads.run(services.webhooks.rotate_account_secret, caller))


@router.get("/{webhook_id}", operation_id="get_webhook", summary="One webhook / 查询 webhook")
async def get_webhook(webhook_id: str, caller: CallerDep, services: ServicesDep) -> WebhookView:
    """Read a webhook, and why it is disabled if it is.

    查询 webhook 及其停用原因。
    """
    return webhook_view(await services.threads.run(services.webhooks.get, caller, webhook_id))


@router.patch(
    "/{webhook_id}",
    openapi_extra=webhook_body(WebhookChanges),
    operation_id="update_webhook",
    summary="Change a webhook / 修改 webhook",
)
async def update_webhook(
    webhook_id: str, request: Request, caller: CallerDep, services: ServicesDep
) -> WebhookView:
    """Change the address, the types or the note; disable or enable it.

    修改地址、事件类型或备注；停用或启用。
    """
    fields = check_fields(await read_body(request), WebhookChanges)
    changes = EndpointChanges(
        url=fields.url,
        has_events="events" in fields.model_fields_set,
        events=_types(fields.events),
        description=fields.description,
        is_enabled=fields.is_enabled,
    )
    endpoint = await services.errands.run(
        caller.account_id, services.webhooks.update, caller, webhook_id, changes
    )
    return webhook_view(endpoint)


@router.delete(
    "/{webhook_id}",
    status_code=204,
    operation_id="delete_webhook",
    summary="Remove a webhook / 删除 webhook",
)
async def delete_webhook(webhook_id: str, caller: CallerDep, services: ServicesDep) -> None:
    """Remove a webhook; what waits for it is not sent any more.

    删除 webhook，等待中的投递不再发送。
    """
    await services.threads.run(services.webhooks.delete, caller, webhook_id)


@router.post(
    "/{webhook_id}/rotate-secret",
    operation_id="rotate_webhook_secret",
    summary="New secret / 更换密钥",
)
async def rotate_webhook_secret(
    webhook_id: str, caller: CallerDep, services: ServicesDep
) -> RotatedSecretView:
    """Replace the secret; for 24 hours requests carry a signature by each of the two.

    更换密钥，24 小时内请求同时带有新旧两个签名。
    """
    return rotated_view(
        await services.threads.run(services.webhooks.rotate_secret, caller, webhook_id)
    )


@router.post(
    "/{webhook_id}/test",
    status_code=202,
    operation_id="test_webhook",
    summary="Send a test event / 发送测试事件",
    responses=DISABLED,
)
async def test_webhook(webhook_id: str, caller: CallerDep, services: ServicesDep) -> DeliveryView:
    """Send a `webhook.test` event, and follow it among the deliveries.

    发送 `webhook.test` 事件，可在投递记录中查看结果。
    """
    return delivery_view(
        await services.threads.run(services.webhooks.send_test, caller, webhook_id)
    )


@router.get(
    "/{webhook_id}/deliveries",
    operation_id="list_deliveries",
    summary="What was sent, and what came of it / 投递记录",
)
async def list_deliveries(
    webhook_id: str,
    caller: CallerDep,
    services: ServicesDep,
    *,
    limit: Limit = 20,
    after: After = None,
    status: Status | None = None,
) -> DeliveryListView:
    """List deliveries with their attempts by page, newest first; kept for 30 days.

    分页列出投递及每次尝试，由新到旧，保留 30 天。
    """
    page = await services.threads.run(
        services.webhooks.list_deliveries,
        caller,
        webhook_id,
        limit=limit,
        after=after,
        state=None if status is None else DeliveryState(status),
    )
    data = [delivery_view(delivery) for delivery in page.deliveries]
    return DeliveryListView(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=page.has_more,
    )


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    operation_id="replay_delivery",
    summary="Send again / 重新投递",
    responses=DISABLED,
)
async def replay_delivery(
    webhook_id: str, delivery_id: str, caller: CallerDep, services: ServicesDep
) -> DeliveryView:
    """Send a delivery again: the same `webhook-id`, the same bytes, the schedule from its start.

    重新投递：`webhook-id` 与内容不变，重试计划从头开始。
    """
    return delivery_view(
        await services.threads.run(services.webhooks.replay, caller, webhook_id, delivery_id)
    )


def _types(names: Sequence[str] | None) -> tuple[EventType, ...] | None:
    if names is None:
        return None
    return tuple(dict.fromkeys(EventType(name) for name in names))
