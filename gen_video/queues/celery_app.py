"""The Celery application: how messages are written, which queues there are, what is never allowed.

Only JSON is read and written, results are kept nowhere, and messages are confirmed on receipt: the
database holds the work. Queues are reached over the default exchange, which routes by name and
needs no bindings: on Redis those are a key that FLUSHALL would remove and a running sender would
not restore. On RabbitMQ queues are quorum queues; Celery's native delayed delivery, which would add
28 queues, is left out because nothing here is delayed.
"""

import socket
import ssl
import uuid
from contextlib import suppress
from functools import cached_property

from celery import Celery
from celery.app.amqp import AMQP
from celery.app.control import Control
from kombu import Connection, Exchange, Queue
from kombu.pidbox import Mailbox

from gen_video.queues.slots import Slots
from gen_video.queues.wakeups import NAME_PREFIX, BrokerAddress, OnWake, parse_broker_url

WAKE_TASK = "gen_video.wake"
DEFAULT_QUEUE = f"{NAME_PREFIX}.default"
QUEUE_ARGUMENTS = {"x-queue-type": "quorum"}
CONNECT_SECONDS = 1.0
SOCKET_SECONDS = 5.0
HEARTBEAT_SECONDS = 10
VISIBILITY_SECONDS = 600
"""Redis: when an unconfirmed message returns. Ours are confirmed within milliseconds."""


class DefaultExchangeAmqp(AMQP):  # type: ignore[misc]  # Celery has no types
    """Celery's message layer; a queue that was only named is reached over the default exchange."""

    @staticmethod
    def autoexchange(_name: str) -> Exchange:
        """Return the exchange of a queue that is not configured."""
        return Exchange("")


class UniqueQueueMailbox(Mailbox):  # type: ignore[misc]  # Kombu has no types
    """A worker's mailbox for remote control, in a queue that no two connections share.

    The queue belongs to one connection alone. Under one name, a worker that has just lost its
    connection would be refused until the broker has noticed the loss, too.
    """

    def get_queue(self, hostname: str) -> Queue:
        """Return the queue of a worker."""
        return super().get_queue(f"{hostname}.{uuid.uuid4().hex[:8]}")


class UniqueQueueControl(Control):  # type: ignore[misc]  # Celery has no types
    """Celery's remote control with mailboxes as above."""

    Mailbox = UniqueQueueMailbox


class WakeUpCelery(Celery):  # type: ignore[misc]  # Celery has no types
    """A Celery application that only ever runs wake-ups.

    Attributes:
        on_wake: What a wake-up does. Set it before a worker starts.
        slots: The places that calls of `on_wake` take; a worker makes them when it has none.
    """

    amqp_cls = "gen_video.queues.celery_app:DefaultExchangeAmqp"
    control_cls = "gen_video.queues.celery_app:UniqueQueueControl"
    on_wake: OnWake | None = None
    slots: Slots | None = None

    @cached_property
    def Worker(self) -> type:  # noqa: N802 - Celery's name of it
        """Return the worker that `celery -A … worker` starts."""
        worker: type = self.subclass_with_self("gen_video.queues.celery_worker:ThreadsWorker")
        return worker


def build_celery(broker_url: str, *, on_wake: OnWake | None = None) -> WakeUpCelery:
    """Return the application that sends and hears wake-ups over a broker.

    Raises:
        BrokerUrlError: The URL is not one of a broker that we know.
    """
    address = parse_broker_url(broker_url)
    app = WakeUpCelery(NAME_PREFIX, broker=broker_url, set_as_current=False, fixups=[])
    app.conf.update(_messages(), **_workers(), **_broker(address))
    app.on_wake = on_wake
    return app


def build_queue(name: str) -> Queue:
    """Return the declaration of a queue: durable, quorum on RabbitMQ, on the default exchange."""
    return Queue(name, Exchange(""), name, queue_arguments=QUEUE_ARGUMENTS)


def _messages() -> dict[str, object]:
    return {
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "result_backend": None,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_acks_late": False,
        "task_default_queue": DEFAULT_QUEUE,
        "task_default_exchange": "",
        "task_default_queue_type": "quorum",
        "task_create_missing_queue_type": "quorum",
        "task_publish_retry": False,
        "task_send_sent_event": False,
        "enable_utc": True,
    }


def _workers() -> dict[str, object]:
    return {
        "worker_consumer": "gen_video.queues.celery_consumer:WakeUpConsumer",
        "worker_pool": "threads",
        "worker_prefetch_multiplier": 1,
        "worker_detect_quorum_queues": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": True,
        # There is none that Celery knows of; without it each loss of the broker earns a warning.
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_enable_prefetch_count_reduction": False,
        "control_exchange": NAME_PREFIX,
        "control_queue_exclusive": True,
        "control_queue_durable": False,
        "event_queue_exclusive": True,
        "event_queue_durable": False,
    }


def _broker(address: BrokerAddress) -> dict[str, object]:
    return {
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_connection_timeout": CONNECT_SECONDS,
        "broker_heartbeat": HEARTBEAT_SECONDS,
        # Answers to Flower, and Flower itself: it asks eight questions at once over two each.
        "broker_pool_limit": 32,
        "broker_pool_acquire_timeout": CONNECT_SECONDS,
        "broker_channel_error_retry": True,
        "broker_transport_options": _redis() if address.is_redis else {"confirm_publish": True},
        "broker_use_ssl": _encryption(address),
    }


def _redis() -> dict[str, object]:
    return {
        "global_keyprefix": f"{NAME_PREFIX}:",
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": SOCKET_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": False,
        "max_retries": 1,  # of opening a channel; without it Kombu sleeps and tries again
        "interval_start": 0,
    }


def _encryption(address: BrokerAddress) -> dict[str, object] | None:
    """Return options of TLS: certificates are checked, which neither transport does by itself."""
    if not address.is_encrypted:
        return None
    if address.is_redis:
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": address.host}


def bound_waits(connection: Connection) -> None:
    """Let RabbitMQ be silent for no longer than `SOCKET_SECONDS` while an answer is waited for.

    Redis has an option for it. Heartbeats count as words: who may wait for ever all the same must
    be watched.
    """
    if connection.transport.driver_type == "amqp":
        connection.connection.sock.settimeout(SOCKET_SECONDS)


def cut(connection: Connection | None) -> None:
    """End a connection to RabbitMQ from another thread, so that whoever waits on it goes on."""
    if connection is not None and connection.transport.driver_type == "amqp":
        with suppress(OSError, AttributeError):  # it may be gone already, or go now
            connection.connection.sock.shutdown(socket.SHUT_RDWR)
