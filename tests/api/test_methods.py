"""Methods that an address does not take: refused, with the ones that it does."""

import pytest

from tests.api.conftest import GENERATE, Door


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/jobs/job_1", "DELETE, GET, HEAD"),
        ("OPTIONS", "/api/v1/jobs/job_1", "DELETE, GET, HEAD"),
        ("DELETE", GENERATE, "POST"),
        ("POST", "/api/v1/files/images/job_1.png", "GET, HEAD"),
        ("TRACE", "/openapi.json", "GET, HEAD"),
        ("POST", "/static/docs.js", "GET, HEAD"),
    ],
)
def test_a_method_is_refused_with_every_one_that_is_taken(
    door: Door, method: str, path: str, allowed: str
) -> None:
    answer = door.client.request(method, path)

    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    ("moment", "status"),
    [
        ("2026-12-01T08:30:00Z", 200),
        ("2026-12-01T16:30:00+08:00", 200),
        ("0.5", 422),
        ("1780000000", 422),
        ("-1", 422),
        ("2026-12-01", 422),
        ("yesterday", 422),
    ],
)
def test_a_moment_is_a_date_with_its_zone(door: Door, moment: str, status: int) -> None:
    answer = door.client.get("/api/v1/jobs", params={"created_after": moment})

    assert answer.status_code == status
