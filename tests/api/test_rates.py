"""Requests per minute: by account with a valid key, by address without one."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tests.api.conftest import ASYNC, FREE_KEY, GENERATE, SMALL, Door, OpenDoor, worker_of
from tests.throttles.makes import PrivateRedis

QUOTA = "/api/v1/quota"
STRANGERS_PER_MINUTE = 60
WRONG_KEY = "not-a-key"


def set_rate(door: Door, requests_per_minute: int, *, plan_id: str = "free") -> None:
    """Change a plan before its first caller is remembered."""
    plan = door.services.accounts.get_plan(plan_id)
    changed = replace(plan, requests_per_minute=requests_per_minute)
    door.services.accounts.save_plan(changed)


def statuses(client: TestClient, count: int, **headers: str) -> list[int]:
    """Ask for the quota again and again."""
    return [client.get(QUOTA, headers=headers).status_code for _ in range(count)]


def wait_for_early_in_a_minute() -> None:
    """Wait until the minute that the database counts in has some seconds left."""
    left = 60 - time.time() % 60
    if left < 10:
        time.sleep(left)


def from_address(door: Door, host: str) -> TestClient:
    """Return a client without a key at an address of its own."""
    return TestClient(door.app, client=(host, 50_000), raise_server_exceptions=False)


def test_one_request_too_many_is_refused_with_what_to_do(door: Door) -> None:
    set_rate(door, 5)
    passed = statuses(door.client, 5)

    english = door.client.get(QUOTA)
    chinese = door.client.get(QUOTA, headers={"Accept-Language": "zh"})

    assert passed == [200] * 5
    assert (english.status_code, english.json()["code"]) == (429, "rate_limited")
    assert english.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(english.headers["Retry-After"]) <= 60
    assert "allows 5 in 60 s" in english.json()["detail"]
    assert "每 60 秒允许 5 次" in chinese.json()["detail"]
    assert "x-should-retry" not in english.headers


def test_all_keys_of_an_account_share_its_rate_and_other_accounts_do_not(door: Door) -> None:
    set_rate(door, 5)
    second_key = door.services.accounts.create_key("test_user").plaintext

    mixed = statuses(door.client, 3)
    for key in (second_key, second_key, FREE_KEY):
        mixed += statuses(door.client, 1, **{"X-API-Key": key})

    assert mixed == [200] * 5 + [429]
    assert statuses(door.other, 3) == [200] * 3


def test_a_refused_request_leaves_nothing_behind(door: Door) -> None:
    set_rate(door, 1)
    door.client.post(GENERATE, json=SMALL, headers=ASYNC)
    before = door.count_rows()

    refused = door.client.post(GENERATE, json=SMALL, headers=ASYNC)

    assert refused.status_code == 429
    assert door.count_rows() == before


def test_answers_say_what_is_left(door: Door) -> None:
    set_rate(door, 5)

    first, second = (door.client.get("/api/v1/models") for _ in range(2))

    assert first.headers["RateLimit-Policy"] == '"requests";q=5;w=60'
    assert first.headers["RateLimit"].startswith('"requests";r=4;t=')
    assert second.headers["RateLimit"].startswith('"requests";r=3;t=')


def test_the_daily_quota_and_the_rate_share_the_headers(door: Door) -> None:
    set_rate(door, 5)

    answers = [door.client.get(QUOTA), door.client.post(GENERATE, json=SMALL, headers=ASYNC)]

    for answer in answers:
        quota, requests = answer.headers["RateLimit-Policy"].split(", ")
        assert quota == '"images-day";q=10;w=86400;qu="images"'
        assert requests == '"requests";q=5;w=60'
        assert '"requests";r=' in answer.headers["RateLimit"].split(", ")[1]


def test_errors_say_what_is_left_too(door: Door) -> None:
    set_rate(door, 3)

    missing = door.client.get("/api/v1/jobs/job_none")
    door.client.get(QUOTA)
    door.client.get(QUOTA)
    refused = door.client.get(QUOTA)

    assert missing.headers["RateLimit"].startswith('"requests";r=2;t=')
    assert refused.headers["RateLimit"].startswith('"requests";r=0;t=')


def test_a_plan_without_a_rate_is_not_limited_and_says_nothing_of_one(door: Door) -> None:
    set_rate(door, 0)

    assert statuses(door.client, 300) == [200] * 300
    assert "requests" not in door.client.get(QUOTA).headers["RateLimit"]


def test_the_switch_turns_every_rate_off(open_door: OpenDoor) -> None:
    door = open_door(rate_limits=False)
    set_rate(door, 1)

    assert statuses(door.client, 10) == [200] * 10
    assert set(statuses(door.client, 100, **{"X-API-Key": WRONG_KEY})) == {401}


def test_following_downloads_and_health_count_nothing(door: Door) -> None:
    set_rate(door, 2)
    with worker_of(door.services):
        made = door.client.post(GENERATE, json=SMALL).json()

        for _ in range(5):
            events = door.client.get(f"/api/v1/jobs/{made['task_id']}/events")
            picture = door.client.get(made["image_url"])
            health = door.client.get("/api/v1/health/live")

            assert [events.status_code, picture.status_code, health.status_code] == [200] * 3

    assert statuses(door.client, 2) == [200, 429]


def test_a_followed_job_still_needs_a_valid_key(door: Door) -> None:
    answer = door.client.get("/api/v1/jobs/job_x/events", headers={"X-API-Key": WRONG_KEY})

    assert answer.status_code == 401


def test_an_address_may_be_wrong_sixty_times_a_minute(door: Door) -> None:
    set_rate(door, 0)
    guesser = from_address(door, "203.0.113.7")

    without = statuses(guesser, 30)
    wrong = statuses(guesser, 31, **{"X-API-Key": WRONG_KEY})
    refused = guesser.get(QUOTA)

    assert without + wrong == [401] * STRANGERS_PER_MINUTE + [429]
    assert "without a valid API key" in refused.json()["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_a_valid_key_works_from_an_address_that_guesses(door: Door) -> None:
    guesser = from_address(door, "203.0.113.7")

    guessed = statuses(guesser, STRANGERS_PER_MINUTE + 1)
    neighbour = statuses(guesser, 3, **{"X-API-Key": FREE_KEY})

    assert guessed[-1] == 429
    assert neighbour == [200] * 3


def test_spoofing_the_address_a_thousand_times_changes_nothing(door: Door) -> None:
    guesser = from_address(door, "203.0.113.7")

    answers = []
    for number in range(1000):
        claimed = f"10.{number % 250}.{number // 250}.1"
        spoofed = {
            "X-Forwarded-For": claimed,
            "X-Real-IP": claimed,
            "Forwarded": f"for={claimed}",
            "X-Client-IP": claimed,
        }
        answers += statuses(guesser, 1, **spoofed)

    assert answers == [401] * STRANGERS_PER_MINUTE + [429] * 940


def test_only_a_trusted_proxy_says_who_the_client_is(door: Door) -> None:
    """The server's own middleware believes the last address that no trusted proxy added."""
    # The server's types of an application are narrower than the framework's.
    proxied: Any = ProxyHeadersMiddleware(cast("Any", door.app), trusted_hosts="10.0.0.1")
    trusted = TestClient(proxied, client=("10.0.0.1", 1), raise_server_exceptions=False)
    stranger = TestClient(proxied, client=("203.0.113.9", 1), raise_server_exceptions=False)

    first = [
        statuses(trusted, 1, **{"X-Forwarded-For": f"6.6.6.{number}, 203.0.113.7"})[0]
        for number in range(STRANGERS_PER_MINUTE + 1)
    ]
    another = statuses(trusted, 1, **{"X-Forwarded-For": "203.0.113.8"})
    direct = [
        statuses(stranger, 1, **{"X-Forwarded-For": f"6.6.6.{number}"})[0]
        for number in range(STRANGERS_PER_MINUTE + 1)
    ]

    assert first == [401] * STRANGERS_PER_MINUTE + [429]
    assert another == [401]
    assert direct == [401] * STRANGERS_PER_MINUTE + [429]


def test_addresses_of_one_ipv6_network_share_a_rate(door: Door) -> None:
    answers = [
        statuses(from_address(door, f"2001:db8:1:2::{number:x}"), 1)[0]
        for number in range(STRANGERS_PER_MINUTE + 1)
    ]

    assert answers == [401] * STRANGERS_PER_MINUTE + [429]
    assert statuses(from_address(door, "2001:db8:1:3::1"), 1) == [401]


@pytest.fixture
def private_redis() -> Iterator[PrivateRedis]:
    """Return a running Redis that the test may kill."""
    server = PrivateRedis()
    server.start()
    yield server
    server.close()


@pytest.fixture
def pair(open_door: OpenDoor) -> list[Door]:
    """Return two web processes' applications that count in one database."""
    doors = [open_door(rate_limit_url=SecretStr("database")) for _ in range(2)]
    set_rate(doors[0], 100)
    return doors


def test_two_processes_share_one_rate_through_the_database(pair: list[Door]) -> None:
    def ask(door: Door) -> list[int]:
        return statuses(door.client, 80)

    wait_for_early_in_a_minute()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ask, pair)

    answers = [*first, *second]
    assert answers.count(200) == 100
    assert answers.count(429) == 60


@pytest.mark.redis
def test_a_killed_redis_is_no_hole_and_no_outage(
    private_redis: PrivateRedis, open_door: OpenDoor
) -> None:
    door = open_door(rate_limit_url=SecretStr(private_redis.url))
    set_rate(door, 100)

    before = statuses(door.client, 30)
    private_redis.send(signal.SIGKILL)
    started = time.perf_counter()
    after = statuses(door.client, 100)
    seconds = time.perf_counter() - started
    guess = door.client.get(QUOTA, headers={"X-API-Key": WRONG_KEY})

    assert before == [200] * 30
    assert after.count(200) == 20  # half of 100, less what passed before
    assert set(after) == {200, 429}
    assert seconds < 10
    assert (guess.status_code, guess.json()["code"]) == (503, "service_unavailable")
    assert int(guess.headers["Retry-After"]) >= 1
