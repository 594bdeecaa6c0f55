"""The processes of one service: started together, replaced when they die, gone together."""

import signal
import socket
import time
from pathlib import Path

import pytest

from tests.journeys.service import RunningService

pytestmark = pytest.mark.journey


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_service_leaves_no_process(
    service: RunningService, number: signal.Signals
) -> None:
    assert service.children("web")
    assert service.children("worker")

    code = service.stop(number)

    assert code == 0, service.read_log()[-3000:]
    assert service.living() == []


def test_a_service_stops_within_seconds_when_nothing_runs(service: RunningService) -> None:
    started = time.monotonic()

    service.stop()

    assert time.monotonic() - started < 10


def test_no_process_outlives_a_killed_supervisor(service: RunningService) -> None:
    service.kill_supervisor()

    service.wait_until(lambda: service.living() == [], seconds=5)


def test_a_killed_supervisor_can_be_started_again_at_once(service: RunningService) -> None:
    service.kill_supervisor()

    service.start()

    assert service.is_answering()


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_killed_process_is_replaced(service: RunningService, name: str) -> None:
    [victim] = service.children(name)

    victim.kill()

    service.wait_until(lambda: _is_replaced(service, name, victim.pid), seconds=30)
    service.wait_until(service.is_answering, seconds=30)


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    service = RunningService(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", service.port))
        other.listen()

        done = service.run_command("serve")

    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert "in use" in lines[0]
    assert "占用" in lines[0]


def test_a_second_service_on_the_same_data_is_refused(service: RunningService) -> None:
    done = service.run_command("serve", "--port", str(service.port + 1))

    assert done.returncode == 1
    assert "Another gen-video" in done.stderr
    assert service.is_answering()


def test_the_service_says_where_it_is(service: RunningService) -> None:
    service.wait_until(lambda: "/redoc" in service.read_log(), seconds=10)

    log = service.read_log()
    assert service.url in log
    assert "test-key-123" in log
    assert str(service.output_folder) in log


def _is_replaced(service: RunningService, name: str, old_pid: int) -> bool:
    return [process for process in service.children(name) if process.pid != old_pid] != []
