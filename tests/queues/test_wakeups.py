"""Names of queues, URLs of brokers, and what importing costs."""

import subprocess
import sys

import pytest

from gen_video.queues.silent import NoBroker
from gen_video.queues.wakeups import (
    BrokerUnavailableError,
    BrokerUrlError,
    QueueNameError,
    parse_broker_url,
    queue_name,
)


def test_a_queue_is_named_after_pool_kind_and_tier() -> None:
    assert queue_name("default", "image", "free") == "gen_video.default.image.free"


@pytest.mark.parametrize(
    "part", ["", "A", "-a", ".a", "a b", "a\n", "a/b", "模型", "a" * 82, "a\x06\x163"]
)
def test_a_name_with_other_characters_is_refused(part: str) -> None:
    for parts in ((part, "image", "free"), ("default", part, "free"), ("default", "image", part)):
        with pytest.raises(QueueNameError):
            queue_name(*parts)


@pytest.mark.parametrize(
    ("url", "is_redis", "is_encrypted"),
    [
        ("redis://127.0.0.1", True, False),
        ("rediss://:secret@redis.internal:6380/3", True, True),
        ("amqp://user:secret@rabbit:5672/vhost", False, False),
        ("amqps://rabbit//", False, True),
    ],
)
def test_the_brokers_that_we_know_are_told_by_their_scheme(
    url: str,
    *,
    is_redis: bool,
    is_encrypted: bool,
) -> None:
    address = parse_broker_url(url)

    assert (address.is_redis, address.is_encrypted) == (is_redis, is_encrypted)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "redis://",
        "redis:///0",
        "amqp://:s3cret@/",
        "http://user:s3cret@host",
        "filesystem://s3cret",
        "memory://",
        "redis://user:s3cret@host:port",
        "redis://[s3cret",
        "redis+socket:///s3cret",
        "amqp://user:s3cret@host:99999",
    ],
)
def test_another_url_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(BrokerUrlError) as refused:
        parse_broker_url(url)

    told = refused.value.message("en") + refused.value.message("zh") + repr(refused.value)
    assert "s3cret" not in told
    assert refused.value.__cause__ is None


def test_an_unavailable_broker_is_worth_another_try() -> None:
    error = BrokerUnavailableError("it sleeps")

    assert (error.status, error.is_retryable) == (503, True)


def test_without_a_broker_sending_does_nothing() -> None:
    NoBroker().send("any", "any")
    NoBroker().close()


def test_a_process_without_a_broker_never_loads_celery() -> None:
    program = (
        "import sys, gen_video.queues.wakeups, gen_video.queues.silent, gen_video.queues.memory;"
        "print(sorted({'celery', 'kombu', 'redis', 'amqp'} & set(sys.modules)))"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert printed.strip() == "[]"
