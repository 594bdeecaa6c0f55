"""A client of gen_video: `Client` and `AsyncClient`, over httpx alone.

It is part of the service's package and a distribution of its own, `gen-video-client`; so it knows
nothing of the service but the wire.
"""

from gen_video.client.async_client import AsyncClient
from gen_video.client.client import Client
from gen_video.client.connection import Timeouts
from gen_video.client.errors import (
    ApiError,
    AuthenticationError,
    ClientError,
    ConfigurationError,
    ConflictError,
    DownloadError,
    FieldError,
    InsufficientBalanceError,
    JobCanceledError,
    JobExpiredError,
    JobFailedError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    UnexpectedAnswerError,
    UnreachableError,
    ValidationError,
    WaitTimeoutError,
    WebhookVerificationError,
)
from gen_video.client.happenings import (
    Delivery,
    DeliveryAttempt,
    DownloadProgress,
    Event,
    JobEvent,
    Preview,
    Secret,
    Webhook,
)
from gen_video.client.records import (
    Cost,
    Hint,
    Job,
    JobError,
    KindQuota,
    Lora,
    Loras,
    Model,
    Output,
    Progress,
    Quota,
    Quotas,
    Record,
)
from gen_video.client.requests import ImageOptions, Scene, VideoOptions
from gen_video.client.signatures import verify_webhook
from gen_video.client.version import VERSION

__version__ = VERSION

__all__ = [
    "ApiError",
    "AsyncClient",
    "AuthenticationError",
    "Client",
    "ClientError",
    "ConfigurationError",
    "ConflictError",
    "Cost",
    "Delivery",
    "DeliveryAttempt",
    "DownloadError",
    "DownloadProgress",
    "Event",
    "FieldError",
    "Hint",
    "ImageOptions",
    "InsufficientBalanceError",
    "Job",
    "JobCanceledError",
    "JobError",
    "JobEvent",
    "JobExpiredError",
    "JobFailedError",
    "KindQuota",
    "Lora",
    "Loras",
    "Model",
    "NotFoundError",
    "Output",
    "PermissionDeniedError",
    "Preview",
    "Progress",
    "Quota",
    "QuotaExceededError",
    "Quotas",
    "RateLimitedError",
    "Record",
    "RequestTimeoutError",
    "Scene",
    "Secret",
    "ServerError",
    "Timeouts",
    "UnexpectedAnswerError",
    "UnreachableError",
    "ValidationError",
    "VideoOptions",
    "WaitTimeoutError",
    "Webhook",
    "WebhookVerificationError",
    "__version__",
    "verify_webhook",
]
