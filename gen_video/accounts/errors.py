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


class WrongSignInError(ServiceError):
    """No such e-mail address, or another password: both answer alike."""

    code = "wrong_sign_in"
    status = 401
    message_en = (
        "The e-mail address or the password is wrong. Check both; "
        "whoever runs this service can set a new password for you."
    )
    message_zh = "邮箱或密码不正确，请检查后重试；也可请本服务的管理员为您重设密码。"


class SignInBlockedError(ServiceError):
    """Too many wrong passwords for one address from one place."""

    code = "sign_in_blocked"
    status = 429
    is_retryable = True
    message_en = "Too many failed attempts. Wait {seconds} s, then try again."
    message_zh = "失败次数过多，请等待 {seconds} 秒后重试。"

    def __init__(self, *, seconds: int) -> None:
        super().__init__(retry_after_seconds=seconds, seconds=seconds)


class WrongPasswordError(ServiceError):
    """The present password, which a change asks for, is wrong."""

    code = "wrong_password"
    status = 422
    message_en = "Your current password is wrong. Type it again."
    message_zh = "当前密码不正确，请重新输入。"


class WeakPasswordError(ServiceError):
    """The password is too short, too long, or says what everybody knows."""

    code = "weak_password"
    status = 422
    message_en = (
        "Choose a password of {least} to {most} characters that is neither your name, your e-mail "
        "address nor one character repeated."
    )
    message_zh = "请设置 {least} 至 {most} 个字符的密码，且不能是用户名、邮箱或单一字符的重复。"


class InvalidEmailError(ServiceError):
    """That is no e-mail address."""

    code = "invalid_email"
    status = 422
    message_en = "This is not an e-mail address: {email}"
    message_zh = "这不是有效的邮箱地址：{email}"


class EmailTakenError(ServiceError):
    """Another account has this e-mail address."""

    code = "email_taken"
    status = 409
    message_en = "Another user has the e-mail address {email}."
    message_zh = "邮箱 {email} 已被其他用户使用。"


class NoEmailError(ServiceError):
    """A password is of no use without an e-mail address to sign in with."""

    code = "no_email"
    status = 409
    message_en = "{name} has no e-mail address to sign in with. Set one with: gen-video users email"
    message_zh = "用户 {name} 没有登录邮箱。请先用 gen-video users email 设置。"


class DevelopmentOnlyError(ServiceError):
    """What was asked for exists in development only."""

    code = "development_only"
    status = 404
    message_en = "This way in exists in development only. Sign in with e-mail and password."
    message_zh = "此入口仅在开发环境可用，请使用邮箱和密码登录。"


class TooManyKeysError(ServiceError):
    """The account has as many working keys as it may have."""

    code = "too_many_keys"
    status = 409
    message_en = "An account has at most {limit} working keys. Revoke one that you do not use."
    message_zh = "每个账户最多 {limit} 个有效密钥，请先吊销不再使用的密钥。"


class PlanExistsError(ServiceError):
    """A plan of this id exists."""

    code = "plan_exists"
    status = 409
    message_en = "There is a plan {plan} already. Change its figures instead."
    message_zh = "套餐 {plan} 已存在，请直接修改其数值。"
