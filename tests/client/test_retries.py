"""What is sent again, when, and what is not."""

import time

import httpx
import pytest

from gen_video.client import (
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    InsufficientBalanceError,
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
    __version__,
)
from tests.client.conftest import Make, Pieces, Script, accepted, event, events, job, problem

DROPPED = httpx.RemoteProtocolError("Server disconnected without sending a response.")
QUOTA = {"user_id": "test_user", "quota": {"images": {"limit": 10, "remaining": 9}}}


def test_a_submit_whose_answers_are_lost_is_sent_again_with_the_same_key(make: Make) -> None:
    script = Script(DROPPED, httpx.ReadTimeout("slow"), DROPPED, accepted())

    submitted = make(script).generate_image("a lake", wait=False)

    assert submitted.id == "job_1"
    keys = script.headers("idempotency-key")
    assert len(keys) == 4
    assert len(set(keys)) == 1
    assert None not in keys
    assert set(script.headers("prefer")) == {"respond-async"}


def test_two_calls_have_two_keys(make: Make) -> None:
    script = Script(accepted(), accepted())
    client = make(script)

    client.generate_image("a lake", wait=False)
    client.generate_image("a lake", wait=False)

    assert len(set(script.headers("idempotency-key"))) == 2


def test_the_caller_may_name_the_request(make: Make) -> None:
    script = Script(accepted())

    make(script).generate_video("waves", wait=False, idempotency_key="mine", cancel_after="90s")

    assert script.headers("idempotency-key") == ["mine"]
    assert script.headers("cancel-after") == ["90s"]
    assert b"mine" not in script.requests[0].content


def test_after_the_last_retry_the_caller_hears_what_is_wrong(make: Make) -> None:
    script = Script(DROPPED, DROPPED, httpx.ReadTimeout("slow"))

    with pytest.raises(RequestTimeoutError, match=r"service\.test did not answer in time"):
        make(script, max_retries=2).quota()

    assert len(script.requests) == 3


@pytest.mark.parametrize(
    ("status", "headers", "tries"),
    [
        (500, {}, 2),
        (502, {}, 2),
        (503, {"retry-after": "0"}, 2),
        (429, {"retry-after": "0"}, 2),
        (408, {}, 2),
        (409, {"x-should-retry": "true"}, 2),
        (500, {"x-should-retry": "false"}, 1),
        (429, {"x-should-retry": "false"}, 1),
        (429, {"retry-after": "3600"}, 1),
        (409, {}, 1),
        (422, {}, 1),
        (507, {}, 1),
    ],
)
def test_what_may_pass_is_asked_again(
    make: Make, status: int, headers: dict[str, str], tries: int
) -> None:
    script = Script(problem(status, "x", headers=headers), httpx.Response(200, json=QUOTA))
    client = make(script)

    if tries == 1:
        with pytest.raises(Exception, match="about x"):
            client.quota()
    else:
        assert client.quota().images.remaining == 9

    assert len(script.requests) == tries


def test_the_service_says_how_long_to_wait(make: Make) -> None:
    script = Script(
        problem(429, "rate_limited", headers={"retry-after": "1"}),
        httpx.Response(200, json=QUOTA),
    )
    started = time.monotonic()

    make(script).quota()

    assert time.monotonic() - started >= 1.0


@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        (DROPPED, 1),
        (problem(502, "x"), 1),
        (httpx.ConnectError("refused"), 2),
        (problem(503, "x"), 2),
    ],
)
def test_what_must_not_happen_twice_is_repeated_only_if_it_never_began(
    make: Make, answer: httpx.Response | Exception, tries: int
) -> None:
    script = Script(answer, httpx.Response(201, json={"id": "whk_1", "secret": "whsec_x"}))
    client = make(script)

    if tries == 1:
        with pytest.raises((UnreachableError, ServerError)):
            client.webhooks.create("https://example.org/hook")
    else:
        assert client.webhooks.create("https://example.org/hook").secret == "whsec_x"

    assert len(script.requests) == tries


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed_body", ValidationError),
        (401, "invalid_key", AuthenticationError),
        (402, "insufficient_balance", InsufficientBalanceError),
        (403, "link_expired", PermissionDeniedError),
        (404, "job_not_found", NotFoundError),
        (409, "job_finished", ConflictError),
        (422, "invalid_request", ValidationError),
        (429, "quota_exceeded", QuotaExceededError),
        (429, "rate_limited", RateLimitedError),
        (507, "storage_full", ServerError),
    ],
)
def test_every_refusal_is_an_error_of_its_own(
    make: Make, status: int, code: str, kind: type[Exception]
) -> None:
    fields = [{"pointer": "/width", "code": "too_large", "detail": "too wide"}]
    script = Script(
        problem(status, code, headers={"x-should-retry": "false"}, errors=fields, more=1)
    )

    with pytest.raises(kind) as caught:
        make(script).get_job("job_1")

    error = caught.value
    assert (error.status, error.code, error.detail, error.request_id) == (  # type: ignore[attr-defined]  # of ApiError
        status,
        code,
        f"about {code}",
        "req_1",
    )
    assert error.errors[0].pointer == "/width"  # type: ignore[attr-defined]  # as above
    assert error.body["more"] == 1  # type: ignore[attr-defined]  # as above


def test_a_proxy_that_answers_for_the_service_is_understood(make: Make) -> None:
    script = Script(httpx.Response(502, html="<h1>Bad Gateway</h1>"))

    with pytest.raises(ServerError, match="502 http_502: the service answered 502 Bad Gateway"):
        make(script, max_retries=0).quota()


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<h1>Welcome</h1>"),
        httpx.Response(200, json=[1]),
        httpx.Response(301, headers={"location": "https://elsewhere.test/"}),
    ],
    ids=["page", "list", "redirect"],
)
def test_an_answer_of_something_else_is_told_apart(make: Make, answer: httpx.Response) -> None:
    with pytest.raises(UnexpectedAnswerError):
        make(Script(answer)).quota()


def test_a_body_that_cannot_be_unpacked_is_no_answer(make: Make) -> None:
    damaged = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Pieces(b"not gzip"))

    with pytest.raises(UnreachableError):
        make(Script(*[damaged] * 9)).quota()


def test_a_repeated_submit_may_find_that_the_job_has_failed(make: Make) -> None:
    failed = problem(500, "generation_failed", headers={"x-should-retry": "false"}, task_id="job_1")
    end = job("failed", error={"code": "generation_failed", "message": "no"})
    script = Script(
        failed,
        httpx.Response(200, json=end),
        events(event("failed", 9, **end)),
    )

    with pytest.raises(JobFailedError) as caught:
        make(script).generate_image("a lake")

    assert caught.value.code == "generation_failed"
    assert caught.value.job.id == "job_1"


def test_requests_carry_the_key_the_language_and_the_version(make: Make) -> None:
    script = Script(httpx.Response(200, json=QUOTA))

    make(script, language="zh", base_url="http://service.test/api/v1/").quota()

    request = script.requests[0]
    assert str(request.url) == "http://service.test/api/v1/quota"
    assert request.headers["authorization"] == "Bearer test-key-123"
    assert request.headers["accept-language"] == "zh"
    assert request.headers["user-agent"].startswith(f"gen-video-client/{__version__} ")


@pytest.mark.parametrize(
    "base_url",
    ["", "service.test", "ftp://service.test", "http://u:p@service.test", "http://a/?b=1"],
)
def test_what_is_no_address_is_refused_at_once(make: Make, base_url: str) -> None:
    with pytest.raises(ConfigurationError):
        make(Script(), base_url=base_url)


@pytest.mark.parametrize("job_id", ["", "..", "a/b", "job_1?x", "任务"])
def test_what_is_no_id_is_sent_nowhere(make: Make, job_id: str) -> None:
    script = Script()

    with pytest.raises(ConfigurationError):
        make(script).get_job(job_id)

    assert script.requests == []


def test_pages_are_fetched_as_they_are_needed(make: Make) -> None:
    script = Script(
        httpx.Response(200, json={"data": [job()] * 50, "has_more": True, "last_id": "job_50"}),
        httpx.Response(200, json={"data": [job()] * 10, "has_more": True, "last_id": "job_60"}),
    )

    found = list(make(script).list_jobs(limit=60, status="succeeded"))

    assert len(found) == 60
    assert [dict(request.url.params) for request in script.requests] == [
        {"status": "succeeded", "limit": "50"},
        {"status": "succeeded", "limit": "10", "after": "job_50"},
    ]


def test_the_environment_is_read_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from gen_video.client import AsyncClient, Client  # noqa: PLC0415 - both alike

    for kind in (Client, AsyncClient):
        monkeypatch.delenv("GEN_VIDEO_API_KEY", raising=False)
        monkeypatch.setenv("GEN_VIDEO_BASE_URL", "http://service.test")
        with pytest.raises(ConfigurationError, match="GEN_VIDEO_API_KEY"):
            kind.from_environment()
        monkeypatch.setenv("GEN_VIDEO_API_KEY", "k")
        assert kind.from_environment().base_url == "http://service.test"
