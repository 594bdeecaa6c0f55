"""Errors of the accounts slice."""

from gen_video.errors import ServiceError


class InvalidKeyError(ServiceError):
    """The API key is missing, malformed, unknown, expired, revoked, or its account is disabled."""

    code = "invalid_api_key"
    status = 401
    message_en = (
        "The API key is missing or not valid. Send it in the X-API-Key header; "
        "an operator makes one with: gen-video keys create"
    )
    message_zh = (
        "API Key 缺失或无效。请在 X-API-Key 请求头中提供；管理员可用 gen-video keys create 创建。"
    )


class ConflictingKeysError(ServiceError):
    """X-API-Key and Authorization carry different keys."""

    code = "conflicting_api_keys"
    status = 401
    message_en = "X-API-Key and Authorization carry different keys. Send only one."
    message_zh = "X-API-Key 与 Authorization 中的密钥不一致，请只发送一个。"


class TooManyJobsError(ServiceError):
    """The account has as many unfinished jobs as its plan allows."""

    code = "too_many_jobs"
    status = 429
    is_retryable = True
    message_en = (
        "Your plan allows {limit} unfinished jobs at once. Wait for one to finish or cancel one."
    )
    message_zh = "您的套餐最多允许 {limit} 个未完成任务，请等待其中一个完成或取消一个。"

    def __init__(self, limit: int) -> None:
        super().__init__(retry_after_seconds=5, limit=limit)


class AccountExistsError(ServiceError):
    """The user name is taken."""

    code = "account_exists"
    status = 409
    message_en = "A user named {name} exists already."
    message_zh = "用户 {name} 已存在。"


class InvalidNameError(ServiceError):
    """A user name has characters that it must not have."""

    code = "invalid_name"
    status = 422
    message_en = "A user name has 1 to 64 letters, digits and . _ - @ +, nothing else: {name}"
    message_zh = "用户名只能含 1 至 64 个字母、数字及 . _ - @ +：{name}"


class UnknownAccountError(ServiceError):
    """No user of that name or id."""

    code = "unknown_account"
    status = 404
    message_en = "There is no user {name}. List them with: gen-video users list"
    message_zh = "用户 {name} 不存在。可用 gen-video users list 查看。"


class UnknownPlanError(ServiceError):
    """No plan of that id."""

    code = "unknown_plan"
    status = 404
    message_en = "There is no plan {plan}. List them with: gen-video plans list"
    message_zh = "套餐 {plan} 不存在。可用 gen-video plans list 查看。"


class UnknownKeyError(ServiceError):
    """No key of that id."""

    code = "unknown_key"
    status = 404
    message_en = "There is no key {key}. List them with: gen-video keys list"
    message_zh = "密钥 {key} 不存在。可用 gen-video keys list 查看。"
