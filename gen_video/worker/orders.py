"""The orders of a worker: what operators ask of it, done on threads of its own.

A drained worker lives on and takes no job, so that its machine can be looked after; it works again
when told to, or after a restart. To drain is a matter of a moment and waits for no order about a
model, which may have to wait for a long job.
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence

import structlog

from gen_video.engines.catalogue import Catalogue
from gen_video.engines.host import EngineHost
from gen_video.errors import ServiceError
from gen_video.generation.orders import Order, OrderAction, OrderState
from gen_video.generation.trials import try_model
from gen_video.generation.workforce import Workforce
from gen_video.worker.lanes import Lanes

LOOK_SECONDS = 2.0
AT_ONCE = frozenset({OrderAction.DRAIN, OrderAction.RESUME})
ABOUT_MODELS = frozenset(OrderAction) - AT_ONCE
RESIDENT_LOOK_SECONDS = 0.2

log = structlog.get_logger(__name__)


class OrderBook:
    """Does what a worker is asked.

    One thread runs the orders that are done at once, another those about models. Neither may end
    before the engines do: on Linux the engine's child ends with the thread that started it.

    Args:
        tell: Gives a sign of life at once, so that the operator sees what changed.
        load_seconds: How long a model may take to load.
    """

    def __init__(
        self,
        workforce: Workforce,
        *,
        worker_id: str,
        lanes: Lanes,
        engines: Sequence[EngineHost],
        catalogue: Catalogue,
        tell: Callable[[], object],
        load_seconds: float,
    ) -> None:
        self._workforce = workforce
        self._worker_id = worker_id
        self._lanes = lanes
        self._engines = engines
        self._catalogue = catalogue
        self._tell = tell
        self._load_seconds = load_seconds
        self._is_over = threading.Event()
        self._is_drained = False

    @property
    def state(self) -> str:
        """Return the worker's state in one word: running, draining or drained."""
        if not self._is_drained:
            return "running"
        return "drained" if self._lanes.is_idle else "draining"

    def run(self, actions: Collection[OrderAction]) -> None:
        """Do orders of some kinds until `stop`, one after another."""
        while not self._is_over.wait(LOOK_SECONDS):
            try:
                self._look(actions)
            except ServiceError as error:
                log.warning("orders_not_read", reason=str(error))
            except Exception:
                log.exception("order_failed")

    def stop(self) -> None:
        """Begin no other order."""
        self._is_over.set()

    def _look(self, actions: Collection[OrderAction]) -> None:
        for order in self._workforce.list_pending(self._worker_id):
            if order.action in actions and not self._is_over.is_set():
                self._obey(order)

    def _obey(self, order: Order) -> None:
        log.info("order_begun", order_id=order.id, action=order.action, model=order.model)
        try:
            answer = self._do(order)
            state = OrderState.DONE
        except ServiceError as error:
            answer = f"{error.message('en')} / {error.message('zh')}"
            state = OrderState.FAILED
        self._workforce.end_order(order, state=state, answer=answer)
        self._tell()

    def _do(self, order: Order) -> str:
        model = order.model or ""
        match order.action:
            case OrderAction.DRAIN:
                self._is_drained = True
                self._lanes.rest()
                return ""
            case OrderAction.RESUME:
                self._is_drained = False
                self._lanes.resume()
                return ""
            case OrderAction.LOAD:
                return self._load(model)
            case OrderAction.UNLOAD:
                return self._unload(model)
            case OrderAction.CHECK:
                return self._check(model)

    def _load(self, model: str) -> str:
        started = time.monotonic()
        for engine in self._engines:
            engine.warm(model)
        for engine in self._engines:
            self._wait(lambda engine=engine: _is_answered(engine, model))  # type: ignore[misc] # bound now
            reason = engine.why_not_loaded(model)
            if reason is not None and model not in engine.resident_models():
                raise ModelNotLoadedError(model=model, reason=reason)
        return f"{time.monotonic() - started:.1f} s"

    def _unload(self, model: str) -> str:
        for engine in self._engines:
            engine.unload(model)
        for engine in self._engines:
            self._wait(lambda engine=engine: model not in engine.resident_models())  # type: ignore[misc] # bound now
        return ""

    def _check(self, model: str) -> str:
        trials = [try_model(engine, self._catalogue.get(model)) for engine in self._engines]
        slowest = max(trials, key=lambda trial: trial.seconds)
        return f"{slowest.width}×{slowest.height}, {slowest.frames} × , {slowest.seconds:.1f} s"

    def _wait(self, is_reached: Callable[[], bool]) -> None:
        give_up_at = time.monotonic() + self._load_seconds
        while not is_reached():
            if time.monotonic() > give_up_at or self._is_over.wait(RESIDENT_LOOK_SECONDS):
                raise OrderUnansweredError


def _is_answered(engine: EngineHost, model: str) -> bool:
    return model in engine.resident_models() or engine.why_not_loaded(model) is not None


class ModelNotLoadedError(ServiceError):
    """The engine could not load a model."""

    code = "model_not_loaded"
    message_en = "{model} cannot be loaded: {reason}"
    message_zh = "{model} 无法加载：{reason}"


class OrderUnansweredError(ServiceError):
    """The engine did not do it in time, or the worker ends."""

    code = "order_unanswered"
    message_en = "The engine did not answer in time; it may be at a long job. Try again later."
    message_zh = "引擎未及时响应，可能正在处理较长的任务，请稍后重试。"
