"""Bad input gets a clear error and touches nothing: no job, no file, no quota."""

import pytest
from starlette.requests import Request

from gen_video.accounts.errors import ConflictingKeysError
from gen_video.api.dependencies import find_key
from gen_video.api.preferences import read_retry_hints
from gen_video.api.problems import BadHeaderError
from tests.api.conftest import ASYNC, GENERATE, SMALL, Door
from tests.api.corpus import CORPUS, BadRequest

PROBLEM_FIELDS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "request_id",
    "errors",
    "error",
}


@pytest.mark.parametrize("bad", CORPUS, ids=lambda bad: bad.name)
def test_a_bad_request_is_refused_clearly_and_touches_nothing(door: Door, bad: BadRequest) -> None:
    rows, files = door.count_rows(), door.list_files()

    answer = door.client.post(GENERATE, content=bad.content, headers=ASYNC | bad.headers)

    body = answer.json()
    assert (answer.status_code, body["code"]) == (bad.status, bad.code), body
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) == PROBLEM_FIELDS
    assert isinstance(body["detail"], str)
    assert body["detail"]
    assert body["error"]["code"] == body["code"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert len(answer.content) < 20_000
    assert door.count_rows() == rows
    assert door.list_files() == files


def test_every_wrong_field_is_named_at_once(door: Door) -> None:
    answer = door.client.post(GENERATE, json=SMALL | {"width": 65, "n": 0, "seed": -1})

    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/width", "/n", "/seed"}


def test_a_size_that_is_no_multiple_names_the_nearest_good_one(door: Door) -> None:
    body = door.client.post(GENERATE, json=SMALL | {"width": 1021}).json()

    assert body["errors"][0]["code"] == "not_a_multiple"
    assert "1024" in body["detail"]


@pytest.mark.parametrize(
    ("accept", "word"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "请求无效"),
        ("en-US,en", "invalid"),
        ("fr", "invalid"),
        ("", "invalid"),
    ],
)
def test_the_detail_is_in_the_readers_language(door: Door, accept: str, word: str) -> None:
    answer = door.client.post(GENERATE, json=SMALL | {"n": 0}, headers={"Accept-Language": accept})

    assert word in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", GENERATE),
        ("PUT", GENERATE),
        ("DELETE", "/api/v1/quota"),
        ("POST", "/api/v1/health"),
        ("PATCH", "/api/v1/jobs"),
        ("TRACE", "/api/v1/quota"),
    ],
)
def test_a_wrong_method_says_which_are_right(door: Door, method: str, path: str) -> None:
    answer = door.client.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/v1/",
        "/api/v1/quota/",
        "/api/v1/jobs/%00",
        "/api/v1/jobs/job_%F0%9F%98%80",
        "/api/v1/jobs/..%2f..%2fetc",
        "/api/v1/jobs/" + "a" * 5000,
        "/api/v1/tasks/' OR 1=1 --",
        "/api/v1/files/images/..%2f..%2f..%2fetc%2fpasswd",
        "/api/v1/files/images/%2e%2e/secret.png",
        "/api/v1/files/images/job_AAAAAAAAAAAAAAAAAAAAAA.png%00.txt",
        "/api/v1/files/objects/job_AAAAAAAAAAAAAAAAAAAAAA.png",
        "/api/v1/files/images/%ff%fe.png",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/app.py",
    ],
)
def test_a_hostile_path_finds_nothing(door: Door, path: str) -> None:
    answer = door.client.get(path)

    assert answer.status_code == 404
    assert answer.json()["status"] == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=1e3",
        "status=done",
        "kind=music",
        "after=%00",
        "after=job_AAAAAAAAAAAAAAAAAAAAAA",
        "model=../x",
        "model=%00",
        "created_after=yesterday",
        "created_after=2026-01-01T00:00:00",
        "after=" + "x" * 200,
        "created_before=99999999-01-01T00:00:00Z",
    ],
)
def test_a_wrong_filter_is_named(door: Door, query: str) -> None:
    answer = door.client.get(f"/api/v1/jobs?{query}")

    assert answer.status_code in {404, 422}
    assert answer.json()["code"] in {"invalid_request", "job_not_found"}


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00"])
def test_the_ends_of_the_calendar_are_no_error(door: Door, moment: str) -> None:
    answer = door.client.get(f"/api/v1/jobs?created_after={moment}")

    assert answer.status_code == 200


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "é", "<script>", "a\tb"])
def test_a_strange_request_id_is_replaced(door: Door, given: str) -> None:
    answer = door.client.get("/api/v1/health/live", headers={b"x-request-id": given.encode()})

    assert answer.headers["X-Request-Id"].startswith("req_")


def test_a_good_request_id_is_kept(door: Door) -> None:
    answer = door.client.get("/api/v1/health/live", headers={"X-Request-Id": "abc-1.2_3"})

    assert answer.headers["X-Request-Id"] == "abc-1.2_3"


def test_what_an_account_may_not_see_looks_like_what_is_not_there(door: Door) -> None:
    mine = door.client.post(GENERATE, json=SMALL, headers=ASYNC).json()["task_id"]
    missing = "job_AAAAAAAAAAAAAAAAAAAAAA"

    for method, suffix in (("GET", ""), ("POST", "/cancel"), ("DELETE", ""), ("GET", "/events")):
        foreign, absent = (
            door.other.request(
                method, f"/api/v1/jobs/{job}{suffix}", headers={"X-Request-Id": "same"}
            )
            for job in (mine, missing)
        )
        assert foreign.status_code == absent.status_code == 404
        assert foreign.text.replace(mine, "ID") == absent.text.replace(missing, "ID")


def test_an_unexpected_crash_says_nothing_of_its_cause(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_arguments: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(door.services.quotas), "read", crash)

    answer = door.client.get("/api/v1/quota")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


FORM = "multipart/form-data; boundary=BBB"
PART = b'--BBB\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'


@pytest.mark.parametrize(
    "body",
    [
        PART % (b"prompt", b"a lake"),
        PART % (b"prompt", b"a lake") + b"--BBB",
        PART % (b"prompt", b"a lake")
        + b'--BBB\r\nContent-Disposition: form-data; name="n"\r\n\r\n',
    ],
)
def test_a_form_that_is_cut_off_is_refused(door: Door, body: bytes) -> None:
    before = door.count_rows()

    answer = door.client.post(GENERATE, content=body, headers={"Content-Type": FORM})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")
    assert door.count_rows() == before


@pytest.mark.parametrize("charset", ["", "; charset=gbk", "; charset=utf-16"])
def test_a_form_in_another_encoding_is_refused(door: Door, charset: str) -> None:
    body = PART % (b"prompt", "一个美丽的风景".encode("gbk")) + b"--BBB--\r\n"

    answer = door.client.post(GENERATE, content=body, headers={"Content-Type": FORM + charset})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_body")


def test_a_field_twice_is_refused(door: Door) -> None:
    answer = door.client.post(
        GENERATE,
        content=b'{"prompt": "a lake", "n": 1, "n": 2}',
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0] | {"detail": ""} == {
        "pointer": "/n",
        "code": "given_twice",
        "detail": "",
    }


def with_headers(*pairs: tuple[str, str]) -> Request:
    """Return a request with exactly these headers, repeated ones too."""
    raw = [(name.lower().encode(), value.encode()) for name, value in pairs]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("X-API-Key", "a"), ("X-API-Key", "b")),
        (("Authorization", "Bearer a"), ("Authorization", "Bearer b")),
        (("X-API-Key", "a"), ("Authorization", "Bearer b")),
    ],
)
def test_two_different_keys_are_refused(first: tuple[str, str], second: tuple[str, str]) -> None:
    with pytest.raises(ConflictingKeysError):
        find_key(with_headers(first, second))

    assert find_key(with_headers(first, first)) == "a"


def test_two_idempotency_keys_are_refused() -> None:
    with pytest.raises(BadHeaderError):
        read_retry_hints(with_headers(("Idempotency-Key", "a"), ("Idempotency-Key", "b")))


@pytest.mark.parametrize("path", ["/api/v1/health", "/api/v1/quota", "/docs", "/metrics"])
def test_head_is_get_without_the_body(door: Door, path: str) -> None:
    got, asked = door.client.get(path), door.client.head(path)

    assert asked.status_code == got.status_code
    assert asked.content == b""
    assert asked.headers["content-type"] == got.headers["content-type"]
