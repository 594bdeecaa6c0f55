"""Entry of the worker process: build, run, sweep beside it, drain on SIGTERM."""

import os
import signal
import socket
import threading
from collections.abc import Callable

import structlog

from gen_video import __version__
from gen_video.engines.host import EngineHost
from gen_video.errors import ServiceError
from gen_video.generation.runner import JobRunner
from gen_video.generation.states import JobKind
from gen_video.settings import Settings
from gen_video.telemetry.logs import configure_logging
from gen_video.wiring import Services, build_engine, build_services
from gen_video.worker.lanes import Lanes, list_kinds, new_worker_id
from gen_video.worker.loop import SIGN_OF_LIFE_SECONDS, WorkerLoop

KILL_GRACE_SECONDS = 8.0

log = structlog.get_logger(__name__)


def run_worker(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code."""
    configure_logging(
        level=settings.log_level,
        json=settings.is_logging_json,
        process="worker",
        is_logging_prompts=settings.log_prompts,
    )
    services = build_services(settings)
    services.require_schema()
    engine = build_engine(
        settings,
        services.catalogue,
        on_restart=lambda reason: services.metrics.engine_restarted(reason=reason),
    )
    try:
        return Worker(services, engine).run()
    finally:
        engine.close()
        services.close()


class Worker:
    """One worker process: the loop, the sweeper and the sign of life on their threads."""

    def __init__(self, services: Services, engine: EngineHost) -> None:
        self._services = services
        self._engine = engine
        self._is_over = threading.Event()
        self._worker_id = new_worker_id()
        self._models = tuple(spec.id for spec in services.catalogue.list_models())
        self._lanes = Lanes(self._build_loop, list_kinds(services.catalogue))

    def run(self) -> int:
        """Work until told to stop, then drain; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        sides = [
            threading.Thread(target=self._sweep, name="sweeper", daemon=True),
            threading.Thread(target=self._give_signs, name="signs-of-life", daemon=True),
        ]
        for side in sides:
            side.start()
        self._warm_up()
        log.info("worker_started", worker_id=self._worker_id, models=self._models)
        self._lanes.run()
        self._is_over.set()
        for side in sides:
            side.join(timeout=SIGN_OF_LIFE_SECONDS)
        self._say_goodbye()
        log.info("worker_stopped", worker_id=self._worker_id)
        return 0

    def _build_loop(self, kind: JobKind) -> WorkerLoop:
        runner = JobRunner(
            execution=self._services.execution,
            engine=self._engine,
            objects=self._services.objects,
            version=__version__,
        )
        return WorkerLoop(
            self._services,
            runner,
            metrics=self._services.metrics,
            worker_id=self._worker_id,
            kind=kind,
        )

    def _on_signal(self, _number: int, _frame: object) -> None:
        threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def _drain(self) -> None:
        """Finish the running job within the drain time, else give it back."""
        self._lanes.stop()
        if not self._lanes.wait_until_idle(self._services.settings.drain_seconds):
            self._lanes.give_back()
            self._lanes.wait_until_idle(KILL_GRACE_SECONDS)

    def _warm_up(self) -> None:
        for model_id in self._services.settings.preload_models:
            if self._services.catalogue.find(model_id) is not None:
                self._engine.warm(model_id)

    def _sweep(self) -> None:
        while not self._is_over.wait(self._services.settings.sweep_seconds):
            self._guarded("sweep_failed", self._services.sweeper.sweep)

    def _give_signs(self) -> None:
        while True:
            self._guarded("sign_of_life_failed", self._give_sign)
            if self._is_over.wait(SIGN_OF_LIFE_SECONDS):
                return

    def _give_sign(self) -> None:
        self._services.execution.see_worker(
            worker_id=self._worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            models=self._models,
            resident=self._engine.resident_models(),
            state="running",
        )

    def _say_goodbye(self) -> None:
        self._guarded(
            "goodbye_failed",
            lambda: self._services.execution.forget_worker(self._worker_id),
        )

    def _guarded(self, event: str, action: Callable[[], object]) -> None:
        try:
            action()
        except ServiceError as error:
            log.warning(event, reason=str(error))
        except Exception:
            log.exception(event)
