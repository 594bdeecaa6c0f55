"""The worker programs: Celery's own for the command line, and one that lives in our process.

Both run wake-ups on threads. Forked children would inherit database connections and locks and could
not share the engine's child; so any other pool is refused before anything starts.
"""

from typing import Any, TypeAlias

from celery.apps.worker import Worker
from celery.concurrency import ALIASES
from celery.concurrency.thread import TaskPool
from celery.worker import WorkController

from gen_video.errors import ServiceError

Untyped: TypeAlias = Any  # what Celery hands over: it has no types


class PoolRefusedError(ServiceError):
    """A pool that cannot run our workers."""

    code = "celery_pool_refused"
    message_en = (
        "The Celery pool {pool} cannot run gen_video: jobs share one engine and one set of"
        " connections. Start the worker with -P threads."
    )
    message_zh = (
        "Celery 的 {pool} 进程池不能运行 gen_video：任务共用同一个推理引擎和同一组连接。"
        "请使用 -P threads 启动。"
    )


class ThreadsWorker(Worker):  # type: ignore[misc]  # Celery has no types
    """The worker behind `celery -A … worker -P threads`."""

    def on_before_init(self, **kwargs: Untyped) -> None:
        """Refuse other pools before anything else happens.

        Raises:
            SystemExit: The pool is not `threads`; this is a program of its own.
        """
        try:
            require_threads(kwargs.get("pool_cls") or kwargs.get("pool"))
        except PoolRefusedError as error:
            raise SystemExit(f"{error.message('en')}\n{error.message('zh')}") from None
        super().on_before_init(**kwargs)

    def should_use_eventloop(self) -> bool:
        """Never: the consumer has a loop of its own, and the event loop is one per process."""
        return False


class EmbeddedWorker(WorkController):  # type: ignore[misc]  # Celery has no types
    """A worker without signal handlers, log set-up and exits, for a thread of our process."""

    def should_use_eventloop(self) -> bool:
        """Never, as above: a worker that was thrown away would leave its loop to the next."""
        return False

    def _shutdown(self, *, warm: bool = True) -> None:
        # Celery's own changes the time limit of every new socket of the process meanwhile.
        self.blueprint.stop(self, terminate=not warm)
        self.blueprint.join()


def require_threads(pool: object) -> None:
    """Check the pool that was asked for.

    Raises:
        PoolRefusedError: It is not the pool of threads.
    """
    if pool in (None, "threads", TaskPool, ALIASES["threads"]):
        return
    name = pool if isinstance(pool, str) else getattr(pool, "__module__", str(pool))
    raise PoolRefusedError(pool=name.rpartition(".")[2])
