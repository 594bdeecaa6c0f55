"""Lanes: pictures and videos are claimed side by side, so that a picture need not wait for a film.

An engine runs one task of each kind at a time and decides between two steps whose turn it is. A
worker has a lane per kind that its models make, with one loop per engine.
"""

import os
import socket
import threading
import time
from collections.abc import Sequence

from gen_video.engines.catalogue import Catalogue, ModelSpec
from gen_video.errors import ServiceError
from gen_video.ids import new_id
from gen_video.worker.loop import WorkerLoop


def new_worker_id() -> str:
    """Return a name for this process that no other one has."""
    return f"{socket.gethostname()}-{os.getpid()}-{new_id('w')[-6:]}"


class UnknownPoolError(ServiceError):
    """A worker is told to serve a pool that no model on offer belongs to."""

    code = "unknown_pool"
    message_en = "No model on offer is in the pool {pool}. Pools: {known} (pool = … in models.toml)"
    message_zh = "没有任何已启用的模型属于池 {pool}。可用的池：{known}（见 models.toml 的 pool）"


def choose_models(catalogue: Catalogue, pools: Sequence[str]) -> list[ModelSpec]:
    """Return the models of some pools, of all when none is named.

    Raises:
        UnknownPoolError: A pool has no model.
    """
    specs = catalogue.list_models()
    known = sorted({spec.pool for spec in specs})
    for pool in pools:
        if pool not in known:
            raise UnknownPoolError(pool=pool[:60], known=", ".join(known))
    return [spec for spec in specs if not pools or spec.pool in pools]


class Lanes:
    """Several loops, started and stopped together.

    Args:
        loops: At least one.
    """

    def __init__(self, loops: Sequence[WorkerLoop]) -> None:
        self._loops = list(loops)
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

    def rest(self) -> None:
        """Claim nothing until `resume`; running jobs are finished."""
        for loop in self._loops:
            loop.rest()

    def resume(self) -> None:
        """Claim jobs again."""
        for loop in self._loops:
            loop.resume()

    @property
    def is_idle(self) -> bool:
        """Tell whether no job runs."""
        return all(loop.is_idle for loop in self._loops)

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
