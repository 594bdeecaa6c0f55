"""Entry of the worker process: build, run, sweep beside it, drain on SIGTERM."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from gen_video import __version__
from gen_video.adapters import build_engines
from gen_video.engines.host import EngineHost
from gen_video.errors import ServiceError
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.queueing import list_queues
from gen_video.generation.runner import JobRunner
from gen_video.generation.states import JobKind
from gen_video.queues.slots import Slots
from gen_video.queues.wakeups import WakeUpListener
from gen_video.settings import Settings
from gen_video.telemetry.logs import configure_logging
from gen_video.wiring import Services, build_services
from gen_video.worker.courier import build_courier
from gen_video.worker.desk import Desk
from gen_video.worker.lanes import Lanes, choose_models, new_worker_id
from gen_video.worker.loop import SIGN_OF_LIFE_SECONDS, WorkerLoop
from gen_video.worker.metrics_port import open_metrics_port
from gen_video.worker.orders import ABOUT_MODELS, AT_ONCE, OrderBook

KILL_GRACE_SECONDS = 8.0
LISTENER_STOP_SECONDS = 3.0
PURGE_SECONDS = 600.0
IDLE_LOOK_SECONDS = 1.0
LISTENING_LOOK_SECONDS = 5.0
"""A wake-up that was lost costs at most this."""

log = structlog.get_logger(__name__)


def run_worker(settings: Settings) -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code."""
    set_up_logging(settings)
    with open_worker(settings) as worker:
        return worker.run()


def set_up_logging(settings: Settings) -> None:
    """Log as a worker."""
    configure_logging(
        level=settings.log_level,
        json=settings.is_logging_json,
        process="worker",
        is_logging_prompts=settings.log_prompts,
    )


@contextmanager
def open_worker(settings: Settings, *, shared_slots: Slots | None = None) -> Iterator["Worker"]:
    """Build a worker with all that it needs, and let go of everything afterwards."""
    services = build_services(settings)
    services.require_schema()
    engines = build_engines(
        settings,
        services.catalogue,
        on_restart=lambda reason: services.metrics.engine_restarted(reason=reason),
    )
    try:
        yield Worker(services, engines, shared_slots=shared_slots)
    finally:
        for engine in engines:
            engine.close()
        services.close()


class Worker:
    """One worker process: the loops, the sweeper and the sign of life on their threads.

    Args:
        engines: Each does one job of each kind at a time.
        shared_slots: Given where somebody else listens to the broker and calls `hear`.
    """

    def __init__(
        self,
        services: Services,
        engines: Sequence[EngineHost],
        *,
        shared_slots: Slots | None = None,
    ) -> None:
        self._shared_slots = shared_slots
        settings = services.settings
        self._services = services
        self._engines = list(engines)
        self._is_over = threading.Event()
        self._purge_at = 0.0
        self._specs = choose_models(services.catalogue, settings.worker_pools)
        self._models = tuple(spec.id for spec in self._specs)
        self._worker_id = new_worker_id()
        self._listeners: list[WakeUpListener] = []
        self._desks: dict[JobKind, Desk] = {}
        self._courier = build_courier(services, self._worker_id)
        self.lanes = Lanes([loop for kind in JobKind for loop in self._build_lane(kind)])
        self.profile = self._profile([queue for kind in JobKind for queue in self._queues(kind)])
        self._orders = OrderBook(
            services.workforce,
            worker_id=self._worker_id,
            lanes=self.lanes,
            engines=self._engines,
            catalogue=services.catalogue,
            tell=lambda: self._guarded("sign_of_life_failed", self._give_sign),
            load_seconds=settings.engine_load_seconds,
        )

    def run(self) -> int:
        """Work until told to stop, then drain; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        return self.work()

    def work(self) -> int:
        """Do what `run` does, for a process whose signals are another's business."""
        sides = [
            threading.Thread(target=self._sweep, name="sweeper", daemon=True),
            threading.Thread(target=self._give_signs, name="signs-of-life", daemon=True),
            *(
                threading.Thread(target=self._orders.run, args=(kinds,), name=name, daemon=True)
                for name, kinds in (("orders", AT_ONCE), ("model-orders", ABOUT_MODELS))
            ),
        ]
        for side in sides:
            side.start()
        settings = self._services.settings
        if settings.worker_metrics_port:
            open_metrics_port(settings.host, settings.worker_metrics_port, self._services.metrics)
        self._warm_up()
        self.listen()
        if self._courier is not None:
            self._courier.start()
        log.info("worker_started", worker_id=self._worker_id, queues=self.profile.queues)
        self.lanes.run()
        self.stop_listening()
        if self._courier is not None:
            self._courier.close(settings.drain_seconds)
        self._is_over.set()
        self._orders.stop()
        for side in sides:
            side.join(timeout=SIGN_OF_LIFE_SECONDS)
        self._say_goodbye()
        log.info("worker_stopped", worker_id=self._worker_id)
        return 0

    def drain(self) -> None:
        """Finish the running jobs within the drain time, else give them back."""
        self.lanes.stop()
        self.stop_listening()
        if self._courier is not None:
            self._courier.stop()
        if not self.lanes.wait_until_idle(self._services.settings.drain_seconds):
            self.lanes.give_back()
            self.lanes.wait_until_idle(KILL_GRACE_SECONDS)

    def broker_queues(self) -> list[str]:
        """Return the broker's names of all that this worker serves."""
        return self._services.broker_queues(self.profile.queues)

    def hear(self, queue: str, job_id: str) -> None:
        """Take a wake-up of the broker's for one of our lanes; any other is let go."""
        kind = next((kind for kind in self._desks if f".{kind}." in queue), None)
        if kind is not None:
            self._desks[kind].hear(queue, job_id)

    def listen(self) -> None:
        """Listen: to the broker, or without one to the database."""
        for listener in self._listeners:
            listener.start()
        if self._services.dispatcher is not None:
            self._services.dispatcher.patrol()
        if not self._listeners and self._shared_slots is None:
            for desk in self._desks.values():
                self._services.watcher.subscribe(desk.ring)

    def stop_listening(self) -> None:
        """Hear nothing more."""
        for desk in self._desks.values():
            desk.close()
        for listener in self._listeners:
            listener.stop(LISTENER_STOP_SECONDS)

    def _queues(self, kind: JobKind) -> tuple[str, ...]:
        return list_queues(self._specs, kind)

    def _profile(self, queues: Sequence[str]) -> WorkerProfile:
        return WorkerProfile(
            worker_id=self._worker_id,
            queues=tuple(queues),
            models=self._models,
            tiers=self._services.settings.worker_tiers,
            slots=len(self._engines),
        )

    def _build_lane(self, kind: JobKind) -> list[WorkerLoop]:
        queues = self._queues(kind)
        if not queues:
            return []
        slots = self._shared_slots or Slots(len(self._engines))
        desk = self._desks[kind] = Desk(slots)
        if self._shared_slots is not None:
            return self._build_loops(queues, desk, is_woken=lambda: True)
        name = f"{self._worker_id}-{kind}"  # a broker knows each listener by its name
        listener = self._services.listen(queues, desk.hear, slots=slots, name=name)
        if listener is not None:
            self._listeners.append(listener)
        return self._build_loops(
            queues, desk, is_woken=lambda: listener is not None and listener.is_connected
        )

    def _build_loops(
        self, queues: Sequence[str], desk: Desk, *, is_woken: Callable[[], bool]
    ) -> list[WorkerLoop]:
        profile = self._profile(queues)

        def idle_seconds() -> float:
            return LISTENING_LOOK_SECONDS if is_woken() else IDLE_LOOK_SECONDS

        return [
            self._build_loop(engine, profile=profile, desk=desk, idle_seconds=idle_seconds)
            for engine in self._engines
        ]

    def _build_loop(
        self,
        engine: EngineHost,
        *,
        profile: WorkerProfile,
        desk: Desk,
        idle_seconds: Callable[[], float],
    ) -> WorkerLoop:
        runner = JobRunner(
            execution=self._services.execution,
            engine=engine,
            objects=self._services.objects,
            version=__version__,
        )
        return WorkerLoop(
            self._services,
            runner,
            profile=profile,
            desk=desk,
            resident=engine.resident_models,
            idle_seconds=idle_seconds,
        )

    def _on_signal(self, _number: int, _frame: object) -> None:
        threading.Thread(target=self.drain, name="drain", daemon=True).start()

    def _warm_up(self) -> None:
        for model_id in self._services.settings.preload_models:
            if model_id in self._models:
                for engine in self._engines:
                    engine.warm(model_id)

    def _sweep(self) -> None:
        seconds = self._services.settings.sweep_seconds
        while not self._is_over.wait(seconds):
            self._guarded("sweep_failed", lambda: self._sweep_once(seconds))
            self._guarded("events_not_purged", self._purge_events)

    def _purge_events(self) -> None:
        if time.monotonic() >= self._purge_at:
            self._purge_at = time.monotonic() + PURGE_SECONDS
            self._services.events.purge()

    def _sweep_once(self, every_seconds: float) -> None:
        report = self._services.sweeper.sweep_if_due(every_seconds)
        for what, count in () if report is None else report.counts.items():
            if count:
                self._services.metrics.swept(what=what, count=count)

    def _give_signs(self) -> None:
        while True:
            self._guarded("sign_of_life_failed", self._give_sign)
            if self._is_over.wait(SIGN_OF_LIFE_SECONDS):
                return

    def _give_sign(self) -> None:
        resident = {model for engine in self._engines for model in engine.resident_models()}
        self._services.execution.see_worker(
            self.profile,
            host=socket.gethostname(),
            pid=os.getpid(),
            resident=sorted(resident),
            state=self._orders.state,
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
