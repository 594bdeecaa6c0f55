"""Thumbnails of jobs: beside large pictures, charged for by nobody, gone with them."""

from dataclasses import replace

import pytest

from gen_video.accounts.models import Caller
from gen_video.generation.models import FileRole, Job
from gen_video.media import thumbnails
from gen_video.quotas.models import KindQuota
from tests.generation.studio import LAKE, Studio
from tests.generation.workshop import Workshop, open_workshop


@pytest.fixture
def workshop(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """Return a workshop where pictures of 64 pixels are large."""
    monkeypatch.setattr(thumbnails, "WORTH_IT", 32)
    monkeypatch.setattr(thumbnails, "LONGEST_SIDE", 16)
    return open_workshop(studio)


def draw(workshop: Workshop, caller: Caller, *, n: int) -> Job:
    job_id = workshop.studio.submit(caller, replace(LAKE, n=n)).id
    workshop.run()
    return workshop.studio.jobs.get(caller, job_id)


@pytest.mark.parametrize("n", [1, 3])
def test_every_picture_has_a_thumbnail_of_its_own(
    workshop: Workshop, caller: Caller, n: int
) -> None:
    job = draw(workshop, caller, n=n)

    stills = [job.find_still(output) for output in job.outputs]
    numbers = [""] if n == 1 else ["_1", "_2", "_3"]
    assert [still.public_name for still in stills if still is not None] == [
        f"images/{job.id}_{n + number}.webp" for number in range(1, n + 1)
    ]
    assert {(still.width, still.height, still.mime) for still in stills if still is not None} == {
        (16, 12, "image/webp")
    }
    assert [output.public_name for output in job.outputs] == [
        f"images/{job.id}{number}.png" for number in numbers
    ]


def test_thumbnails_are_not_charged_and_the_books_agree(workshop: Workshop, caller: Caller) -> None:
    draw(workshop, caller, n=3)

    assert workshop.studio.window(caller) == KindQuota(limit=10, used=3, reserved=0)
    assert workshop.studio.findings() == []


def test_deleting_a_job_erases_its_thumbnails(workshop: Workshop, caller: Caller) -> None:
    job = draw(workshop, caller, n=2)

    workshop.studio.jobs.delete(caller, job.id)

    assert workshop.studio.list_files() == []


def test_a_small_picture_has_no_thumbnail(studio: Studio, caller: Caller) -> None:
    job = draw(open_workshop(studio), caller, n=1)

    assert {file.role for file in job.files} == {FileRole.OUTPUT}
    assert job.find_still(job.outputs[0]) is None
