"""Wake-ups: the Protocols of sending and hearing them, the names of queues, and the errors.

    BrokerUnavailableError     503, the broker took nothing; the job is kept and found without it
    BrokerUrlError             500, GEN_VIDEO_BROKER_URL names no broker that we know
    QueueNameError             500, a pool, kind or tier that cannot be part of a queue's name

A wake-up carries the id of a job and nothing else. The database decides every claim, so a wake-up
that is lost, doubled, late, reordered or forged changes latency and never a result. Importing this
module must not import Celery: a web process without a broker never loads it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from gen_video.errors import ServiceError, ServiceUnavailableError

NAME_PREFIX = "gen_video"
REDIS_SCHEMES = frozenset({"redis", "rediss"})
AMQP_SCHEMES = frozenset({"amqp", "amqps"})

_PART = re.compile(r"[a-z0-9][a-z0-9._-]{0,80}\Z")

OnWake = Callable[[str, str], None]
"""Called with the queue and the job id; blocks for as long as the slot is busy."""


class BrokerUnavailableError(ServiceUnavailableError):
    """The broker cannot be reached or did not confirm; workers find the job in the database."""

    code = "broker_unavailable"
    message_en = "The message broker is not available ({reason}). Please retry shortly."
    message_zh = "消息队列暂不可用（{reason}），请稍后重试。"


class BrokerUrlError(ServiceError):
    """The broker's URL is not one that we can use; its text may hold a password and is not told."""

    code = "broker_url_invalid"
    message_en = (
        "GEN_VIDEO_BROKER_URL cannot be used: {reason}. Use redis://, rediss://, amqp:// or"
        " amqps:// with a host, such as redis://127.0.0.1:6379/0, or leave it empty."
    )
    message_zh = (
        "GEN_VIDEO_BROKER_URL 无法使用：{reason_zh}。请使用带主机名的 redis://、rediss://、"
        "amqp:// 或 amqps:// 地址（例如 redis://127.0.0.1:6379/0），或将其留空。"
    )


class QueueNameError(ServiceError):
    """A part of a queue's name has characters that no queue may have."""

    code = "queue_name_invalid"
    message_en = (
        "{part!r} cannot be part of a queue's name: use 1 to 81 of a-z, 0-9, dot, dash and"
        " underscore, beginning with a letter or digit."
    )
    message_zh = (
        "{part!r} 不能作为队列名的一部分：请使用 1 至 81 个小写字母、数字、点、连字符或下划线，"
        "并以字母或数字开头。"
    )


class WakeUps(Protocol):
    """Sends wake-ups. Calls block for at most about two seconds; any thread may make them."""

    def send(self, queue: str, job_id: str) -> None:
        """Tell the workers of a queue that a job may be due; once it returns, the broker has it.

        Raises:
            BrokerUnavailableError: The broker did not take it, or did not say so in time.
        """
        ...

    def close(self) -> None:
        """Give the connections back; nothing may be sent afterwards."""
        ...


class WakeUpListener(Protocol):
    """Hears wake-ups in threads of its own and calls `on_wake`, one call per free slot."""

    @property
    def is_connected(self) -> bool:
        """Tell whether wake-ups would be heard right now."""
        ...

    def start(self) -> None:
        """Begin to listen; returns at once, whether or not the broker answers."""
        ...

    def stop(self, timeout_seconds: float) -> bool:
        """Hear nothing more; tell whether all calls of `on_wake` had returned in time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAddress:
    """What of a broker's URL may be told: no user, no password, no query."""

    scheme: str
    host: str

    @property
    def is_redis(self) -> bool:
        """Tell Redis from RabbitMQ."""
        return self.scheme in REDIS_SCHEMES

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the connection is TLS."""
        return self.scheme in {"rediss", "amqps"}


def queue_name(pool: str, kind: str, tier: str) -> str:
    """Return the name of the queue of a model pool, a kind of job and a tier of plans.

    Raises:
        QueueNameError: A part has other characters than names may have.
    """
    for part in (pool, kind, tier):
        if _PART.match(part) is None:
            raise QueueNameError(part=part[:100])
    return f"{NAME_PREFIX}.{pool}.{kind}.{tier}"


def parse_broker_url(url: str) -> BrokerAddress:
    """Return scheme and host of a broker's URL.

    Raises:
        BrokerUrlError: Another scheme, no host, or a port that is none.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BrokerUrlError(
            reason="its host or port cannot be read", reason_zh="无法解析主机或端口"
        ) from None
    if parts.scheme not in REDIS_SCHEMES | AMQP_SCHEMES:
        raise BrokerUrlError(reason="its scheme is unknown", reason_zh="不支持该协议")
    if not host:
        raise BrokerUrlError(reason="it names no host", reason_zh="缺少主机名")
    return BrokerAddress(scheme=parts.scheme, host=host)
