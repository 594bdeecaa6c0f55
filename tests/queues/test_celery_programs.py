"""What users start themselves: `celery worker` with our application, and Flower beside it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from benchmarks.ports import find_free_port
from gen_video.queues.celery_sender import CelerySender
from gen_video.settings import PROJECT_FOLDER, process_environment
from tests.queues.brokers import Broker, Heard, new_job, shared_redis_url, wait_until
from tests.queues.conftest import Listen

START_SECONDS, END_SECONDS = 60.0, 30.0
APPLICATION = """\
import pathlib, time
from celery.signals import worker_ready, worker_shutting_down
from gen_video.queues.celery_app import build_celery

notes = pathlib.Path(__file__).with_name("notes")

def note(text):
    with notes.open("a") as file:
        file.write(text + "\\n")

def on_wake(queue, job_id):
    note("began " + job_id)
    time.sleep({seconds})
    note("ended " + job_id)

@worker_ready.connect
def ready(**_):
    note("ready")

@worker_shutting_down.connect
def shutting_down(sig=None, how=None, **_):
    note(f"shutting down {{sig}} {{how}}")

app = build_celery({url!r}, on_wake=on_wake)
"""


class Program:
    """A program of Celery over an application module in a folder."""

    def __init__(self, folder: Path, broker_url: str, *, seconds: float = 0.0) -> None:
        self._folder = folder
        source = APPLICATION.format(url=broker_url, seconds=seconds)
        (folder / "wake_up_app.py").write_text(source)

    @property
    def notes(self) -> list[str]:
        with suppress(FileNotFoundError):
            return (self._folder / "notes").read_text().splitlines()
        return []

    @contextmanager
    def run(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "wake_up_app", *arguments],
            cwd=self._folder,
            env=process_environment()
            | {
                "PYTHONPATH": f"{self._folder}:{PROJECT_FOLDER}",
                "FLOWER_UNAUTHENTICATED_API": "true",  # on the loopback, for seconds
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("pool", [["-P", "threads"], []])
def test_a_worker_on_threads_runs_wake_ups_and_drains_on_sigterm(
    broker: Broker, queue: str, sender: CelerySender, tmp_path: Path, pool: list[str]
) -> None:
    """Threads are the default: Celery's own default is replaced, asked for or not."""
    program, job_id = Program(tmp_path, broker.url, seconds=3), new_job()
    with program.run("worker", *pool, "-c", "2", "-Q", queue) as process:
        wait_until(lambda: "ready" in program.notes, seconds=START_SECONDS)
        sender.send(queue, job_id)
        wait_until(lambda: f"began {job_id}" in program.notes)

        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=END_SECONDS)

    assert program.notes == [
        "ready",
        f"began {job_id}",
        "shutting down SIGTERM Warm",
        f"ended {job_id}",
    ]
    assert process.returncode == 0, printed


@pytest.mark.parametrize("pool", ["solo", "processes"])
@pytest.mark.redis
def test_another_pool_is_refused_with_the_way_out(pool: str, tmp_path: Path) -> None:
    program = Program(tmp_path, shared_redis_url())
    with program.run("worker", "-P", pool) as process:
        printed, _ = process.communicate(timeout=START_SECONDS)

    assert process.returncode != 0
    assert "Start the worker with -P threads" in printed


@pytest.mark.rabbitmq
def test_queues_are_quorum_queues_and_nothing_is_delayed(rabbitmq: Broker, listen: Listen) -> None:
    with rabbitmq.fresh_queue() as queue:
        heard = Heard()
        listener = listen(rabbitmq, [queue], heard)
        sender = CelerySender(rabbitmq.url)
        sender.send(queue, new_job())
        assert heard.has(1)
        sender.close()
        listener.stop(10)  # it would declare the queue again after its end

        with rabbitmq.connect() as connection:
            channel = connection.channel()
            channel.queue_declare(
                queue, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"}
            )
            with pytest.raises(connection.channel_errors, match="x-queue-type"):
                connection.channel().queue_declare(
                    queue, durable=True, auto_delete=False, arguments={"x-queue-type": "classic"}
                )
            for level in (0, 27):
                with pytest.raises(connection.channel_errors, match="NOT_FOUND"):
                    connection.channel().queue_declare(f"celery_delayed_{level}", passive=True)


@pytest.mark.redis
def test_flower_shows_the_worker_and_its_queue(listen: Listen, tmp_path: Path) -> None:
    broker, port = Broker(shared_redis_url()), find_free_port()
    program, heard = Program(tmp_path, broker.url), Heard()
    heard.hold()
    with (
        broker.fresh_queue() as queue,
        program.run("flower", "--address=127.0.0.1", f"--port={port}") as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as flower,
    ):
        listener = listen(broker, [queue], heard)
        sender = CelerySender(broker.url)
        for _ in range(3):
            sender.send(queue, new_job())
        assert heard.has(1)

        def look(path: str) -> str:
            with suppress(httpx.HTTPError):
                return flower.get(path).text
            return ""

        wait_until(lambda: queue in look("/api/workers?refresh=1"), seconds=START_SECONDS)
        workers = look("/api/workers?refresh=1")
        assert listener._name in workers
        wait_until(lambda: '"messages": 2' in look("/api/queues/length"), seconds=START_SECONDS)
        assert queue in look("/api/queues/length")
        assert process.poll() is None
        heard.release()
        sender.close()
