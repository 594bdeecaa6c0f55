"""The shapes of webhooks, deliveries and events, in requests and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gen_video.api.v1.fields import says, without_bounds
from gen_video.webhooks.models import EventType
from gen_video.webhooks.urls import MAX_URL_CHARACTERS

MAX_DESCRIPTION = 200
NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
JobEventName = Literal["job.succeeded", "job.failed", "job.canceled", "job.expired", "webhook.test"]
Status = Literal["pending", "delivered", "failed"]

EventNames = Annotated[
    list[JobEventName] | None,
    Field(
        min_length=1,
        max_length=len(EventType),
        description=says("Which types; all if left out or null", "事件类型；留空或 null 表示全部"),
    ),
]
Description = Annotated[
    str | None,
    Field(
        max_length=MAX_DESCRIPTION,
        pattern=NO_CONTROLS,
        description=says("Your own note", "自定义备注"),
    ),
]
URL_WORDS = says(
    "An https address on the public Internet, port 443", "公网上的 https 地址，端口 443"
)


class WebhookFields(BaseModel):
    """A new webhook / 新建 webhook."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"url": "https://example.com/hooks/gen-video", "description": "订单通知"},
                {
                    "url": "https://example.com/hooks/failures",
                    "events": ["job.failed", "job.expired"],
                    "description": "alerts",
                },
            ]
        },
    )

    url: str = Field(max_length=MAX_URL_CHARACTERS, description=URL_WORDS)
    events: EventNames = None
    description: Description = None


class WebhookChanges(BaseModel):
    """What is to be different; what is left out stays as it is / 要修改的字段."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"is_enabled": True}, {"description": "新备注"}]},
    )

    url: str | None = Field(None, max_length=MAX_URL_CHARACTERS, description=URL_WORDS)
    events: EventNames = None
    description: Description = None
    is_enabled: bool | None = Field(
        None,
        description=says(
            "false: nothing more is sent, what waits fails; true: begins anew",
            "false：停止发送，等待中的投递记为失败；true：重新启用",
        ),
    )


class WebhookView(BaseModel):
    """A webhook / 一个 webhook."""

    id: str = Field(examples=["whk_4bDk2Qv9sTnW1xYz8aLm3P"])
    object: Literal["webhook"] = "webhook"
    url: str
    events: list[str] | None = Field(description=says("null: all types", "null 表示全部类型"))
    description: str
    is_enabled: bool
    disabled_reason: str | None = Field(
        description=says(
            "owner, gone (it answered 410), failing (everything failed for five days)",
            "owner、gone（返回了 410）、failing（连续五天全部失败）",
        )
    )
    created_at: datetime


class NewWebhookView(WebhookView):
    """A new webhook, with the secret that is shown only now / 新建的 webhook（含密钥）."""

    secret: str = Field(
        description=says("Keep it: it verifies signatures", "请妥善保存，用于验证签名"),
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
    )


class WebhookListView(BaseModel):
    """A page of webhooks, newest first / webhook 列表，由新到旧."""

    object: Literal["list"] = "list"
    data: list[WebhookView]
    first_id: str | None
    last_id: str | None
    has_more: bool


class SecretView(BaseModel):
    """A secret that verifies signatures / 用于验证签名的密钥."""

    secret: str


class RotatedSecretView(SecretView):
    """A new secret; until then the one before signs as well / 新密钥，旧密钥在此之前同时有效."""

    previous_valid_until: datetime


class AttemptView(BaseModel):
    """One attempt at a delivery / 一次投递尝试."""

    at: datetime
    status_code: int | None
    error: str | None = Field(
        description=says(
            "bad_status, redirected, throttled, gone, timeout, name_not_found, tls_failed, "
            "connection_failed, not_http, address_not_allowed; null: it was taken",
            "失败原因；null 表示成功",
        )
    )
    duration_ms: int


class DeliveryView(BaseModel):
    """An event on its way to a webhook / 一次投递."""

    id: str = Field(examples=["dlv_4bDk2Qv9sTnW1xYz8aLm3P"])
    object: Literal["delivery"] = "delivery"
    event_id: str
    event_type: str
    webhook_id: str | None
    url: str
    status: Status
    attempts: list[AttemptView]
    next_attempt_at: datetime | None
    created_at: datetime


class DeliveryListView(BaseModel):
    """A page of deliveries, newest first / 投递列表，由新到旧."""

    object: Literal["list"] = "list"
    data: list[DeliveryView]
    first_id: str | None
    last_id: str | None
    has_more: bool


class EventView(BaseModel):
    """Something that happened; `data` is what webhooks are sent / 一个事件."""

    id: str = Field(examples=["evt_4bDk2Qv9sTnW1xYz8aLm3P"])
    object: Literal["event"] = "event"
    type: str = Field(examples=["job.succeeded"])
    created_at: datetime
    data: dict[str, Any]


class EventListView(BaseModel):
    """A page of events, newest first / 事件列表，由新到旧."""

    object: Literal["list"] = "list"
    data: list[EventView]
    first_id: str | None
    last_id: str | None
    has_more: bool


def webhook_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI request body of a route that takes these fields."""
    examples = model.model_json_schema()["examples"]
    content = {
        "schema": {"$ref": f"#/components/schemas/{model.__name__}"},
        "examples": {f"example {n}": {"value": given} for n, given in enumerate(examples, 1)},
    }
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def webhook_schemas() -> dict[str, Any]:
    """Return the schemas that request bodies refer to, by name."""
    schemas = {
        model.__name__: model.model_json_schema() for model in (WebhookFields, WebhookChanges)
    }
    for schema in schemas.values():
        schema["properties"] = {
            name: without_bounds(entry) for name, entry in schema["properties"].items()
        }
    return schemas
