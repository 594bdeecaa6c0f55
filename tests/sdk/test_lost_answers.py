"""An SDK that gets no answer asks again by itself, without a key: still one job and one charge."""

from typing import Any

import pytest

from tests.journeys.service import RunningService
from tests.sdk.conftest import MAJORS, PAID_KEY, Script
from tests.sdk.dropping_proxy import dropping_proxy

pytestmark = pytest.mark.journey

CALLS = (
    "generate",
    "stream",
    "edit",
    "edit_several",
    "variation",
    "video",
    "video_from_picture",
)


def count_jobs(service: RunningService) -> int:
    """Return how many jobs the account has."""
    jobs, after = 0, None
    while True:
        query: dict[str, str | int] = {"limit": 100} | ({"after": after} if after else {})
        page = _read(service, "/api/v1/jobs", query)
        jobs, after = jobs + len(page["data"]), page["last_id"]
        if not page["has_more"]:
            return jobs


def count_used(service: RunningService) -> int:
    """Return how many units were taken today, held ones included."""
    quota = _read(service, "/api/v1/quota", {})["quota"]
    return sum(kind["used"] + kind["reserved"] for kind in quota.values())


def _read(service: RunningService, path: str, query: dict[str, str | int]) -> Any:  # noqa: ANN401 - JSON
    return service.client.get(path, params=query, headers={"X-API-Key": PAID_KEY}).json()


@pytest.mark.parametrize(
    ("call", "major", "is_patient"),
    [
        *((call, MAJORS[index % 2], True) for index, call in enumerate(CALLS)),
        ("generate", 3, False),
        ("edit_several", 2, False),
        ("video", 3, False),
    ],
)
def test_two_lost_answers_make_one_job_and_one_charge(
    script: Script, call: str, major: int, *, is_patient: bool
) -> None:
    """Either an answer is lost, or the connection ends as soon as the request has gone through."""
    before = count_jobs(script.service), count_used(script.service)

    with dropping_proxy(script.service.url, drops=2, is_patient=is_patient) as (url, proxy):
        picture = str(script.folder / "mask.png")
        printed = script.python(major, "once.py", call, picture, OPENAI_BASE_URL=f"{url}/v1")

    assert printed.strip() != "None"
    assert proxy.retry_counts == ["0", "1", "2"]
    after = count_jobs(script.service), count_used(script.service)
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
