"""Previews of running jobs: numbered, fenced, kept for a while, and gone with their job."""

from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError
from gen_video.engines.tasks import SmallPicture
from gen_video.generation.backoff import MAX_BACKOFF_SECONDS
from gen_video.generation.errors import LeaseLostError
from gen_video.generation.models import ClaimedJob, JobProgress, NewPreview
from gen_video.generation.preview_tray import MOST_WAITING, PreviewTray
from gen_video.generation.sweeper import PREVIEWS_KEPT
from tests.generation.studio import Studio

SECOND = timedelta(seconds=1)


def preview(step: int) -> NewPreview:
    return NewPreview(
        step=step, steps=4, mime="image/jpeg", width=8, height=6, data=bytes([step]) * 10
    )


def begin(studio: Studio, caller: Caller) -> ClaimedJob:
    """Submit a job and claim it."""
    studio.submit(caller)
    return studio.claim()


def numbers(studio: Studio, job_id: str, *, after: int = 0) -> list[tuple[int, int]]:
    return [(found.number, found.step) for found in studio.jobs.list_previews(job_id, after=after)]


def test_previews_are_numbered_in_order_and_told_with_the_progress(
    studio: Studio, caller: Caller
) -> None:
    claimed = begin(studio, caller)
    progress = JobProgress(stage="denoising", step=2, steps=4)

    studio.execution.renew(claimed, progress=progress, previews=[preview(1), preview(2)])
    studio.execution.renew(claimed, progress=None, previews=[preview(3)])

    snapshot = studio.jobs.read_snapshots([claimed.id])[claimed.id]
    assert numbers(studio, claimed.id) == [(1, 1), (2, 2), (3, 3)]
    assert numbers(studio, claimed.id, after=2) == [(3, 3)]
    assert (snapshot.previews, snapshot.step) == (3, 2)
    assert studio.jobs.list_previews(claimed.id)[1].data == bytes([2]) * 10


def test_an_attempt_that_lost_its_lease_shows_nothing(studio: Studio, caller: Caller) -> None:
    zombie = begin(studio, caller)
    studio.execution.give_back(zombie)
    studio.claim("heir")

    with pytest.raises(LeaseLostError):
        studio.execution.renew(zombie, progress=None, previews=[preview(1)])

    assert numbers(studio, zombie.id) == []


def test_numbers_go_on_over_attempts(studio: Studio, caller: Caller) -> None:
    first = begin(studio, caller)
    studio.execution.renew(first, progress=None, previews=[preview(1)])
    studio.execution.fail(first, EngineFailedError("once more"))
    studio.database.advance(timedelta(seconds=MAX_BACKOFF_SECONDS))

    again = studio.claim()
    studio.execution.renew(again, progress=None, previews=[preview(1), preview(2)])

    assert numbers(studio, first.id) == [(1, 1), (2, 1), (3, 2)]
    assert studio.findings() == []


def test_previews_are_swept_ten_minutes_after_the_end(studio: Studio, caller: Caller) -> None:
    ended = begin(studio, caller)
    studio.execution.renew(ended, progress=None, previews=[preview(1)])
    studio.jobs.cancel(caller, ended.id)
    studio.execution.cancel(ended)
    running = begin(studio, caller)
    studio.execution.renew(running, progress=None, previews=[preview(1)])

    studio.database.advance(PREVIEWS_KEPT - SECOND)
    studio.execution.renew(running, progress=None)
    studio.sweeper.sweep()
    before = numbers(studio, ended.id)
    studio.database.advance(2 * SECOND)
    studio.sweeper.sweep()

    assert before == [(1, 1)]
    assert numbers(studio, ended.id) == []
    assert numbers(studio, running.id) == [(1, 1)]
    assert studio.findings() == []


def test_deleting_a_job_deletes_its_previews(studio: Studio, caller: Caller) -> None:
    claimed = begin(studio, caller)
    studio.execution.renew(claimed, progress=None, previews=[preview(1)])
    studio.jobs.cancel(caller, claimed.id)
    studio.execution.cancel(claimed)

    studio.jobs.delete(caller, claimed.id)

    assert numbers(studio, claimed.id) == []


def test_what_could_not_be_written_stays_in_the_tray() -> None:
    tray = PreviewTray()
    for step in (1, 2):
        tray.add(SmallPicture(width=4, height=4, rgb=bytes(48)), step=step, steps=4)
    tray.peek()
    tray.add(SmallPicture(width=4, height=4, rgb=bytes(48)), step=3, steps=4)
    tray.add(SmallPicture(width=4, height=4, rgb=b"broken"), step=4, steps=4)

    waiting = tray.peek()
    tray.drop(2)

    assert [found.step for found in waiting] == [1, 2, 3]
    assert [found.step for found in tray.peek()] == [3]


def test_a_tray_that_nobody_empties_keeps_the_newest() -> None:
    tray = PreviewTray()
    for step in range(MOST_WAITING + 5):
        tray.add(SmallPicture(width=4, height=4, rgb=bytes(48)), step=step, steps=99)

    assert [found.step for found in tray.peek()] == list(range(5, MOST_WAITING + 5))
