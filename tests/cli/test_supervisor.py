"""The supervisor with small processes instead of the service's."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from gen_video.cli import children
from gen_video.cli.children import Child, describe_exit
from gen_video.cli.supervisor import ProcessKeepsDyingError, Supervisor


class Script(Child):
    """A child that runs a line of Python."""

    def __init__(self, code: str) -> None:
        super().__init__("script", [], descriptors=(), environment=dict(os.environ))  # noqa: TID251 - for a child
        self._arguments = [sys.executable, "-c", code]


def supervise(child: Child, *, stop_after: float, stop_seconds: float = 5) -> list[int]:
    """Run a supervisor and ask it to stop; return the pids of what died meanwhile."""
    dead: list[int] = []
    end = time.monotonic() + stop_after
    supervisor = Supervisor(
        [child],
        stop_seconds=stop_seconds,
        on_death=dead.append,
        is_ready=lambda: _tell(lambda: time.monotonic() > end, supervisor),
        on_ready=lambda: None,
    )
    supervisor._look_after()
    supervisor._stop()
    return dead


def _tell(is_time: Callable[[], bool], supervisor: Supervisor) -> bool:
    if is_time():
        supervisor._on_signal(0, None)
    return False


def test_a_process_that_keeps_dying_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE_SECONDS", 0.0)

    with pytest.raises(ProcessKeepsDyingError, match="script"):
        supervise(Script("raise SystemExit(3)"), stop_after=60)


def test_a_process_that_died_once_is_replaced() -> None:
    child = Script("import time; time.sleep(60)")
    child.start()
    first = child.last_pid
    os.kill(first, 9)

    dead = supervise(child, stop_after=1.5)

    assert dead == [first]
    assert child.last_pid != first
    assert not child.is_running()


def test_a_process_that_ignores_the_request_is_killed() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = Script(code)
    started = time.monotonic()

    supervise(child, stop_after=1, stop_seconds=1)

    assert time.monotonic() - started < 10
    assert not child.is_running()


def test_pauses_grow_with_every_death() -> None:
    child = Script("")
    pauses = []
    for moment in range(4):
        child._note_death(float(moment), 1)
        pauses.append(child._start_at - moment)

    assert pauses == sorted(pauses)
    assert pauses[-1] > pauses[0]


@pytest.mark.parametrize(("code", "is_hopeless"), [(1, True), (-11, True), (-9, False)])
def test_only_failures_of_its_own_make_a_process_hopeless(code: int, *, is_hopeless: bool) -> None:
    child = Script("")

    for moment in range(children.CRASH_LIMIT):
        child._note_death(float(moment), code)

    assert child.is_hopeless() is is_hopeless


def test_failures_far_apart_are_forgiven() -> None:
    child = Script("")

    for moment in range(children.CRASH_LIMIT):
        child._note_death(moment * 10.0, 1)

    assert not child.is_hopeless()


@pytest.mark.parametrize(("code", "words"), [(3, "code 3"), (-9, "signal SIGKILL")])
def test_an_exit_is_described(code: int, words: str) -> None:
    assert describe_exit(code) == words


def test_a_process_ends_with_its_lifeline() -> None:
    code = (
        "import sys, time; from gen_video.cli.lifeline import hold_lifeline; "
        "hold_lifeline(int(sys.argv[1])); time.sleep(60)"
    )
    read_end, write_end = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", code, str(read_end)], pass_fds=(read_end,))
    os.close(read_end)
    time.sleep(0.3)
    assert process.poll() is None

    os.close(write_end)

    assert process.wait(timeout=10) == -15
