"""`gen-video webhooks`: addresses that the service sends events to."""

from typing import Annotated

import typer

from gen_video.cli.remote import AsJson, BaseUrl, connect
from gen_video.cli.terminal import Cell, note, print_json, print_rows, say
from gen_video.client import Delivery, Webhook

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Webhooks. / 管理 Webhook。")

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, whk_…")]
Limit = Annotated[int, typer.Option("-n", "--limit", min=1, help="How many / 数量")]


@app.command("list")
def list_webhooks(*, limit: Limit = 50, base_url: BaseUrl = None, is_json: AsJson = False) -> None:
    """List your addresses.

    列出 Webhook 地址。
    """
    with connect(base_url, is_json=is_json) as client:
        webhooks = list(client.webhooks.list(limit=limit))
    if is_json:
        print_json([webhook.raw for webhook in webhooks])
    else:
        print_rows([_row(webhook) for webhook in webhooks], is_json=False)


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="An https address / https 地址")],
    *,
    event: Annotated[
        list[str] | None, typer.Option(help="A type to send, repeatable; all / 事件类型，可重复")
    ] = None,
    description: Annotated[str | None, typer.Option(help="For people / 说明")] = None,
    base_url: BaseUrl = None,
    is_json: AsJson = False,
) -> None:
    """Add an address; its signing secret is shown once.

    添加地址；签名密钥只显示一次。
    """
    with connect(base_url, is_json=is_json) as client:
        webhook = client.webhooks.create(url, events=event, description=description)
    if is_json:
        print_json(webhook.raw)
        return
    note(f"Added {webhook.id}; this is its secret:", f"已添加 {webhook.id}，签名密钥：")
    say(webhook.secret or "")


@app.command()
def delete(webhook_id: WebhookId, *, base_url: BaseUrl = None, is_json: AsJson = False) -> None:
    """Remove an address.

    删除地址。
    """
    with connect(base_url, is_json=is_json) as client:
        client.webhooks.delete(webhook_id)
    if is_json:
        print_json({"id": webhook_id, "deleted": True})
    note(f"Removed {webhook_id}.", f"已删除 {webhook_id}。")


@app.command("test")
def send_test(webhook_id: WebhookId, *, base_url: BaseUrl = None, is_json: AsJson = False) -> None:
    """Send a test event.

    发送测试事件。
    """
    with connect(base_url, is_json=is_json) as client:
        delivery = client.webhooks.test(webhook_id)
    _show_delivery(delivery, is_json=is_json)


@app.command()
def deliveries(
    webhook_id: WebhookId,
    *,
    status: Annotated[str | None, typer.Option(help="pending, delivered, failed")] = None,
    limit: Limit = 20,
    base_url: BaseUrl = None,
    is_json: AsJson = False,
) -> None:
    """List what was sent to an address, newest first.

    列出投递记录，由新到旧。
    """
    with connect(base_url, is_json=is_json) as client:
        found = list(client.webhooks.deliveries(webhook_id, status=status, limit=limit))
    if is_json:
        print_json([delivery.raw for delivery in found])
    else:
        print_rows([_delivery_row(delivery) for delivery in found], is_json=False)


@app.command()
def replay(
    webhook_id: WebhookId,
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, dlv_…")],
    *,
    base_url: BaseUrl = None,
    is_json: AsJson = False,
) -> None:
    """Send a delivery once more.

    重新投递。
    """
    with connect(base_url, is_json=is_json) as client:
        delivery = client.webhooks.replay(webhook_id, delivery_id)
    _show_delivery(delivery, is_json=is_json)


def _show_delivery(delivery: Delivery, *, is_json: bool) -> None:
    if is_json:
        print_json(delivery.raw)
        return
    say(delivery.id)
    note(f"It is {delivery.status}.", f"当前状态：{delivery.status}。")


def _row(webhook: Webhook) -> dict[str, Cell]:
    return {
        "id": webhook.id,
        "url": webhook.url,
        "events": "all" if webhook.events is None else ",".join(webhook.events),
        "is_enabled": webhook.is_enabled,
        "created_at": webhook.created_at,
    }


def _delivery_row(delivery: Delivery) -> dict[str, Cell]:
    last = delivery.attempts[-1] if delivery.attempts else None
    return {
        "id": delivery.id,
        "event": delivery.event_type,
        "status": delivery.status,
        "attempts": len(delivery.attempts),
        "last": None if last is None else (last.status_code or last.error),
        "created_at": delivery.created_at,
    }
