"""Whatever kills or stalls the child: the right error, a new child, and the next task works."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from gen_video.engines import child_process, host
from gen_video.engines.errors import (
    EngineCancelledError,
    EngineCrashedError,
    EngineError,
    EngineHungError,
    EngineOutOfMemoryError,
)
from gen_video.engines.host import HostLimits
from gen_video.engines.tasks import StepProgress
from tests.engines.conftest import DriverOf
from tests.engines.hosts import STEPS, Driver, double_task, endless_task
from tests.engines.waiting import wait_until
from tests.house.project import PROJECT

PARENT = """
from tests.engines.hosts import Driver, double_task, endless_task
driver = Driver()
def tell(progress):
    if progress.stage != "loading":
        print(driver.pid, flush=True)
list(driver.host.generate({task}, on_progress=tell))
"""


@pytest.mark.parametrize(
    ("crash", "expected", "words"),
    [
        ("segv", EngineCrashedError, "signal SIGSEGV"),
        ("exit", EngineCrashedError, "exit code 3"),
        ("oom", EngineOutOfMemoryError, "ran out of memory"),
    ],
)
def test_a_crash_is_told_and_the_next_task_works(
    driver: Driver, crash: str, expected: type[EngineError], words: str
) -> None:
    assert driver.works()
    pid = driver.pid
    driver.restarts.clear()

    with pytest.raises(expected, match=words) as caught:
        driver.run(double_task(f"crash={crash}"))

    assert caught.value.is_crash
    assert caught.value.is_retryable
    assert driver.restarts == [caught.value.code]
    assert not psutil.pid_exists(pid)
    assert driver.works()


def test_a_child_that_is_killed_at_work_is_a_crash(driver: Driver) -> None:
    assert driver.works()

    def kill(progress: StepProgress) -> None:
        if progress.stage != "loading":
            os.kill(driver.pid, signal.SIGKILL)

    with pytest.raises(EngineCrashedError, match="signal SIGKILL"):
        list(driver.host.generate(endless_task(), on_progress=kill))

    assert driver.works()


def test_a_child_that_is_killed_while_idle_is_replaced_unnoticed(driver: Driver) -> None:
    assert driver.works()
    pid = driver.pid
    driver.restarts.clear()

    os.kill(pid, signal.SIGKILL)
    # Until the last of its threads is gone it looks like a zombie, but cannot be reaped.
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    assert driver.works()
    assert driver.pid != pid
    assert driver.restarts == []


def test_a_child_that_hung_up_before_its_next_task_is_replaced_unnoticed(driver: Driver) -> None:
    """For a moment a dying process has closed its socket and cannot be reaped yet."""
    assert driver.works()
    pid = driver.pid
    child = driver.host._child
    assert child is not None
    child._frames._connection.shutdown(socket.SHUT_RDWR)

    assert driver.works()
    assert driver.pid != pid
    assert driver.restarts == []


def test_a_child_that_reads_nothing_is_replaced_before_it_has_the_task(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large reference fills the socket; neither this task nor a cancel may wait for ever."""
    monkeypatch.setattr(child_process, "SEND_SECONDS", 1)
    assert driver.works()
    pid = driver.pid
    os.kill(pid, signal.SIGSTOP)
    task = replace(double_task(), reference_image=b"x" * 8_000_000)

    assert len(driver.run(task)) == 1

    assert driver.pid != pid


def test_a_task_that_stands_still_is_given_up(driver_of: DriverOf) -> None:
    driver = driver_of(HostLimits(hang=2.0))

    with pytest.raises(EngineHungError) as caught:
        driver.run(double_task("crash=hang"))

    assert caught.value.is_crash
    assert driver.restarts == ["engine_hung"]
    assert driver.works()


def test_a_task_that_is_slow_but_moves_is_not_given_up(driver_of: DriverOf) -> None:
    driver = driver_of(HostLimits(hang=2.0))
    task = replace(double_task("sleep=2.8"), num_inference_steps=14)

    assert len(driver.run(task)) == 1

    assert driver.restarts == []


def test_a_model_that_loads_for_too_long_is_given_up(driver_of: DriverOf) -> None:
    driver = driver_of(HostLimits(load=0.0))

    with pytest.raises(EngineHungError):
        driver.run(double_task())

    assert driver.restarts == ["engine_hung"]


def test_a_child_that_shows_no_life_is_given_up(
    driver_of: DriverOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long a step may take, the process itself says each second that it lives."""
    driver = driver_of(HostLimits())
    assert driver.works()
    monkeypatch.setattr(host, "ALIVE_LIMIT_SECONDS", 2.0)

    def freeze(progress: StepProgress) -> None:
        if progress.stage != "loading":
            os.kill(driver.pid, signal.SIGSTOP)

    with pytest.raises(EngineHungError):
        list(driver.host.generate(endless_task(), on_progress=freeze))

    assert driver.restarts == ["engine_hung"]


def test_a_cancel_that_is_ignored_kills_the_child(driver_of: DriverOf) -> None:
    driver = driver_of(HostLimits(cancel_grace=0.3))
    driver.cancel_at = STEPS // 2  # from then on the child hears nothing

    with pytest.raises(EngineCancelledError):
        driver.run(double_task("crash=hang"))

    assert driver.restarts == ["cancel_ignored"]
    assert driver.works()


@pytest.mark.parametrize("task", ["endless_task()", 'double_task("crash=hang")'])
def test_a_child_ends_with_its_parent(task: str) -> None:
    """A killed worker leaves nothing behind, not even a child deep in its work."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT.format(task=task)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))

        parent.kill()

        wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
