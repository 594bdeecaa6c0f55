"""Lanes: pictures and videos are claimed side by side, so that a picture need not wait for a film.

The engine runs one task of each kind at a time and decides between two steps whose turn it is. A
catalogue with one kind of model needs one lane.
"""

import os
import socket
import threading
import time
from collections.abc import Callable

from gen_video.engines.catalogue import Catalogue
from gen_video.generation.states import JobKind
from gen_video.ids import new_id
from gen_video.worker.loop import WorkerLoop


def new_worker_id() -> str:
    """Return a name for this process that no other one has."""
    return f"{socket.gethostname()}-{os.getpid()}-{new_id('w')[-6:]}"


def list_kinds(catalogue: Catalogue) -> list[JobKind]:
    """Return the kinds of jobs that the models on offer can do."""
    specs = catalogue.list_models()
    kinds = []
    if any(spec.makes_pictures for spec in specs):
        kinds.append(JobKind.IMAGE)
    if any(spec.makes_videos for spec in specs):
        kinds.append(JobKind.VIDEO)
    return kinds


class Lanes:
    """Several loops over one engine, started and stopped together.

    Args:
        build: Returns the loop of one kind.
        kinds: At least one.
    """

    def __init__(self, build: Callable[[JobKind], WorkerLoop], kinds: list[JobKind]) -> None:
        self._loops = [build(kind) for kind in kinds]
        self._failures: list[BaseException] = []

    def run(self) -> None:
        """Work until `stop`; every running job is finished or given back before this returns.

        The first loop runs on the calling thread. No thread ends before all loops have: on Linux
        the engine's child ends with the thread that started it. What breaks one loop stops all,
        and is raised here.
        """
        all_done = threading.Barrier(len(self._loops))
        threads = [
            threading.Thread(target=self._run_lane, args=(loop, all_done), name=f"lane-{index}")
            for index, loop in enumerate(self._loops[1:], start=2)
        ]
        for thread in threads:
            thread.start()
        self._run_lane(self._loops[0], all_done)
        for thread in threads:
            thread.join()
        if self._failures:
            raise self._failures[0]

    def stop(self) -> None:
        """Claim nothing more; `run` returns after the running jobs."""
        for loop in self._loops:
            loop.stop()

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait for the running jobs to end; False when the time ran out."""
        until = time.monotonic() + timeout_seconds
        return all(loop.wait_until_idle(max(0.0, until - time.monotonic())) for loop in self._loops)

    def give_back(self) -> None:
        """Stop the running jobs and return them to the queue."""
        for loop in self._loops:
            loop.give_back()

    def _run_lane(self, loop: WorkerLoop, all_done: threading.Barrier) -> None:
        try:
            loop.run()
        except BaseException as error:  # noqa: BLE001 - raised again on the calling thread
            self._failures.append(error)
            self.stop()  # a worker of which half has died helps nobody
            self.give_back()
        all_done.wait()
