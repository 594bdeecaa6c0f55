"""Waiting clients: told what is and what changes, by one look at the database for all of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from gen_video.accounts.models import Caller
from gen_video.db.watch import ChangeWatcher, announce
from gen_video.generation import watch as watch_module
from gen_video.generation.models import JobSnapshot
from gen_video.generation.states import JobState
from gen_video.generation.watch import JobWatch
from gen_video.ids import new_id
from gen_video.storage.memory import MemoryObjectStore
from tests.generation.board import DONE, DRAWING, JOB, OTHER, PATIENCE_SECONDS, QUEUED, Board, play
from tests.generation.conftest import OpenDatabase
from tests.generation.studio import Studio, open_studio


async def collect(watch: JobWatch, job_id: str = JOB) -> list[JobSnapshot]:
    """Return everything that one client is told."""
    return [snapshot async for snapshot in watch.follow(job_id)]


async def wait_until(is_so: Callable[[], bool]) -> None:
    """Let the others run until something is so."""
    while not is_so():  # noqa: ASYNC110 - nobody announces it
        await asyncio.sleep(0.001)


async def start_clients(
    watch: JobWatch, count: int, *, until: Callable[[], bool]
) -> list[asyncio.Task[list[JobSnapshot]]]:
    """Start clients and let them run until something is so."""
    clients = [asyncio.create_task(collect(watch)) for _ in range(count)]
    await wait_until(until)
    return clients


def test_a_client_is_told_what_is_and_every_change_until_the_end() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        told = watch.follow(JOB)

        assert await anext(told) == QUEUED
        board.change(DRAWING)
        assert await anext(told) == DRAWING
        board.change(DONE)
        assert await anext(told) == DONE
        with pytest.raises(StopAsyncIteration):
            await anext(told)
        assert (watch.waiting, board.bell.listeners) == (0, [])

    play(story)


def test_what_did_not_change_is_not_told_again() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        told = watch.follow(JOB)
        await anext(told)
        for _ in range(3):
            board.looks.clear()
            board.bell.ring()
            await wait_until(lambda: bool(board.looks))

        board.change(DRAWING)

        assert await anext(told) == DRAWING

    play(story)


def test_a_job_that_has_ended_already_is_told_at_once() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        board.jobs[JOB] = DONE

        assert await collect(watch) == [DONE]

    play(story)


def test_many_clients_cost_one_look_per_change() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        clients = await start_clients(watch, 50, until=lambda: bool(board.looks))
        assert watch.waiting == 50
        assert board.looks == [[JOB]]

        board.change(DONE)

        told = await asyncio.gather(*clients)
        assert board.looks == [[JOB], [JOB]]
        assert all(snapshots[-1] == DONE for snapshots in told)
        assert watch.waiting == 0

    play(story)


def test_a_client_that_joins_is_told_at_once_and_nobody_else_hears_it_again() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        first = watch.follow(JOB)
        assert await anext(first) == QUEUED

        assert await anext(watch.follow(JOB)) == QUEUED

        board.change(DONE)
        assert await anext(first) == DONE

    play(story)


def test_jobs_are_looked_up_together_and_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "CHUNK", 2)
    jobs = [new_id("job") for _ in range(5)]

    async def story(watch: JobWatch, board: Board) -> None:
        board.jobs = {job_id: replace(DONE, step=number) for number, job_id in enumerate(jobs)}

        told = await asyncio.gather(*(collect(watch, job_id) for job_id in jobs))

        assert [snapshots[0].step for snapshots in told] == [0, 1, 2, 3, 4]
        assert [len(look) for look in board.looks] == [2, 2, 1]

    play(story)


def test_a_change_of_another_job_is_nobodys_business() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        told = watch.follow(JOB)
        await anext(told)

        board.change(DONE, OTHER)
        board.change(DRAWING)

        assert await anext(told) == DRAWING
        assert all(look == [JOB] for look in board.looks)

    play(story)


def test_waiting_ends_with_the_job() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        waiting = asyncio.create_task(watch.wait_until_terminal(JOB, timeout_seconds=30))
        await wait_until(lambda: bool(board.looks))

        board.change(DONE)

        assert await waiting

    play(story)


def test_waiting_ends_when_its_time_is_over() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        assert not await watch.wait_until_terminal(JOB, timeout_seconds=0.05)
        assert (watch.waiting, board.bell.listeners) == (0, [])

    play(story)


def test_everybody_is_let_go_when_waiting_is_called_off() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        board.jobs[OTHER] = DRAWING
        waiting = [
            asyncio.create_task(watch.wait_until_terminal(job_id, timeout_seconds=30))
            for job_id in (JOB, OTHER, JOB)
        ]
        await wait_until(lambda: watch.waiting == 3 and bool(board.looks))

        watch.release_all()

        assert await asyncio.gather(*waiting) == [False, False, False]
        assert watch.waiting == 0

    play(story)


def test_a_change_at_the_same_moment_does_not_keep_a_client_that_was_let_go() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        told = watch.follow(JOB)
        await anext(told)
        board.gate = asyncio.get_running_loop().create_future()
        rest = asyncio.ensure_future(anext(told, None))
        board.change(DRAWING)
        await board.is_waiting_at_gate.wait()

        board.gate.set_result(None)
        watch.release_all()
        board.gate = None
        if await rest is not None:
            assert await anext(told, None) is None

        assert watch.waiting == 0

    play(story)


def test_a_database_that_is_away_for_a_while_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "DUTY_CYCLE", 0.0)

    async def story(watch: JobWatch, board: Board) -> None:
        board.failures = 1
        board.jobs[JOB] = DONE

        assert await collect(watch) == [DONE]
        assert len(board.looks) == 2

    play(story)


def test_a_client_that_leaves_takes_nothing_along() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        staying, leaving = await start_clients(watch, 2, until=lambda: bool(board.looks))

        leaving.cancel()
        await asyncio.wait([leaving])
        board.change(DONE)

        assert (await staying)[-1] == DONE

    play(story)


def test_a_closed_watch_leaves_no_task_and_no_listener_behind() -> None:
    async def story(watch: JobWatch, board: Board) -> None:
        told = watch.follow(JOB)
        await anext(told)
        assert len(asyncio.all_tasks()) == 2

        await watch.close()

        assert len(asyncio.all_tasks()) == 1
        assert board.bell.listeners == []

    play(story)


@asynccontextmanager
async def real_watch(studio: Studio) -> AsyncIterator[JobWatch]:
    """Return a watch on the studio's database, as a web process has."""
    watcher = ChangeWatcher(studio.database)

    async def read(job_ids: Sequence[str]) -> dict[str, JobSnapshot]:
        return await asyncio.to_thread(studio.jobs.read_snapshots, job_ids)

    watch = JobWatch(watcher, read)
    try:
        yield watch
    finally:
        await watch.close()
        watcher._is_stopping.set()
        studio.database.write(announce)
        watcher.close()


def test_a_client_hears_what_another_process_commits(
    studio: Studio,
    caller: Caller,
    open_database: OpenDatabase,
    objects: MemoryObjectStore,
) -> None:
    worker = open_studio(open_database(), objects)
    job_id = studio.submit(caller).id

    async def follow() -> list[JobState]:
        async with real_watch(studio) as watch, asyncio.timeout(PATIENCE_SECONDS):
            told = watch.follow(job_id)
            states = [(await anext(told)).state]
            claimed = await asyncio.to_thread(worker.claim)
            states.append((await anext(told)).state)
            await asyncio.to_thread(worker.finish, claimed)
            states += [snapshot.state async for snapshot in told]
            return states

    assert asyncio.run(follow()) == [JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED]
