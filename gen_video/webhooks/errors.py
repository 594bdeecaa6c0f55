"""Errors of webhooks that users read."""

from gen_video.errors import NotFoundError, ServiceError


class EndpointNotFoundError(NotFoundError):
    """No such endpoint, or somebody else's."""

    message_en = "There is no webhook with this id."
    message_zh = "没有该 id 的 webhook。"


class DeliveryNotFoundError(NotFoundError):
    """No such delivery of this endpoint."""

    message_en = "There is no delivery with this id. Deliveries are kept for 30 days."
    message_zh = "没有该 id 的投递记录。投递记录保留 30 天。"


class EventNotFoundError(NotFoundError):
    """No such event, or somebody else's."""

    message_en = "There is no event with this id. Events are kept for 30 days."
    message_zh = "没有该 id 的事件。事件保留 30 天。"


class TooManyEndpointsError(ServiceError):
    """The account has as many endpoints as it may have."""

    code = "too_many_webhooks"
    status = 409
    message_en = "An account has at most {limit} webhooks. Delete one first."
    message_zh = "每个账户最多 {limit} 个 webhook，请先删除一个。"


class EndpointDisabledError(ServiceError):
    """Nothing is sent to an endpoint that is disabled."""

    code = "webhook_disabled"
    status = 409
    message_en = "This webhook is disabled. Enable it first: PATCH it with is_enabled true."
    message_zh = "该 webhook 已停用，请先启用：PATCH 并设置 is_enabled 为 true。"
