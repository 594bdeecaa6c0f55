"""Use cases of those who run the service: see the workers and their queues, and ask them things.

An order is a row that its worker finds beside its next sign of life; nothing is sent to it.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from gen_video.audit_log.models import Action, Actor
from gen_video.audit_log.service import AuditLog
from gen_video.db.database import Database
from gen_video.errors import NotFoundError, ServiceError
from gen_video.generation import lines, orders, registry_store
from gen_video.generation.estimates import WORKER_SILENT_AFTER
from gen_video.generation.lines import Line, OpenJob
from gen_video.generation.orders import Order, OrderAction, OrderState
from gen_video.generation.registry_store import WorkerRow
from gen_video.ids import is_id

KEPT = timedelta(days=30)
SHOWN_RUNNING = 100
SHOWN_READY = 20
MAX_PAGE = 100
GONE = "the worker has ended / 工作进程已结束"
ACTIONS = {
    OrderAction.DRAIN: Action.WORKER_DRAIN,
    OrderAction.RESUME: Action.WORKER_RESUME,
    OrderAction.LOAD: Action.MODEL_LOAD,
    OrderAction.UNLOAD: Action.MODEL_UNLOAD,
    OrderAction.CHECK: Action.MODEL_CHECK,
}


class WorkerNotFoundError(NotFoundError):
    """No living worker has this id."""

    code = "worker_not_found"
    message_en = "No living worker has this id; it may have ended. Reload the page."
    message_zh = "没有该 id 的在线工作进程，它可能已结束。请刷新页面。"


class OrderNotFoundError(NotFoundError):
    """A cursor names no order."""

    code = "order_not_found"
    message_en = "There is no such order any more. Begin with the first page."
    message_zh = "该指令已不存在，请从第一页重新开始。"


class ModelNotServedError(ServiceError):
    """The worker does not run this model."""

    code = "model_not_served"
    status = 422
    message_en = "The worker {worker} does not run {model}. Choose one of its own models: {known}"
    message_zh = "工作进程 {worker} 不提供模型 {model}，可选：{known}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The workers that live, what they do, and who is next."""

    workers: tuple[WorkerRow, ...]
    running: tuple[OpenJob, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPage:
    """One page of orders, newest first."""

    orders: tuple[Order, ...]
    has_more: bool


class Workforce:
    """The workers, as an operator sees them."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    def list_workers(self) -> tuple[WorkerRow, ...]:
        """Return the workers that gave a sign of life lately, by name."""
        return self._database.read(self._alive)

    def read_floor(self) -> Floor:
        """Return the workers with their jobs, and the first jobs of every queue."""

        def work(connection: Connection) -> Floor:
            workers = self._alive(connection)
            queues = sorted({queue for worker in workers for queue in worker.queues})
            return Floor(
                workers=workers,
                running=tuple(lines.list_running(connection, limit=SHOWN_RUNNING)),
                lines=tuple(
                    lines.read_line(connection, queue, limit=SHOWN_READY) for queue in queues
                ),
            )

        return self._database.read(work)

    def give_order(
        self, worker_id: str, action: OrderAction, *, model: str | None = None, by: Actor
    ) -> Order:
        """Ask a worker for something; the same order, not done yet, is given once.

        Raises:
            WorkerNotFoundError: It does not live.
            ModelNotServedError: It is not one of its models.
        """

        def work(connection: Connection) -> Order:
            now = self._database.now(connection)
            workers = {worker.id: worker for worker in self._alive(connection)}
            worker = workers.get(worker_id)
            if worker is None:
                raise WorkerNotFoundError
            if action.needs_model and model not in worker.models:
                known = ", ".join(worker.models)
                raise ModelNotServedError(worker=worker_id, model=str(model)[:80], known=known)
            wanted = model if action.needs_model else None
            found = orders.find_pending(
                connection, worker_id=worker_id, action=action, model=wanted
            )
            if found is not None:
                return found
            orders.forget_old(connection, before=now - KEPT)
            orders.fail_orphans(connection, alive=workers, answer=GONE, now=now)
            subject = worker_id if wanted is None else f"{wanted} @ {worker_id}"
            self._audit.note(connection, ACTIONS[action], by=by, subject=subject)
            return orders.insert_order(
                connection, worker_id=worker_id, action=action, model=wanted, now=now
            )

        return self._database.write(work)

    def list_orders(self, *, limit: int = 20, after: str | None = None) -> OrderPage:
        """Return a page of orders, newest first, from behind the order `after`.

        Raises:
            OrderNotFoundError: There is no such order.
        """
        size = min(limit, MAX_PAGE)

        def work(connection: Connection) -> OrderPage:
            place = None
            if after is not None:
                place = orders.find_place(connection, after) if is_id(after, "ord") else None
                if place is None:
                    raise OrderNotFoundError
            found = orders.list_latest(connection, limit=size + 1, after=place)
            return OrderPage(orders=tuple(found[:size]), has_more=len(found) > size)

        return self._database.read(work)

    def find_order(self, order_id: str) -> Order | None:
        """Return an order, None when it is forgotten."""
        return self._database.read(lambda connection: orders.find_order(connection, order_id))

    # What a worker does with its orders.

    def list_pending(self, worker_id: str) -> list[Order]:
        """Return what a worker has been asked and has not done yet, oldest first."""
        return self._database.read(lambda connection: orders.list_pending(connection, worker_id))

    def end_order(self, order: Order, *, state: OrderState, answer: str) -> None:
        """Write what came of an order."""

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            orders.end_order(connection, order.id, state=state, answer=answer, now=now)

        self._database.write(work)

    def _alive(self, connection: Connection) -> tuple[WorkerRow, ...]:
        since = self._database.now(connection) - WORKER_SILENT_AFTER
        workers = registry_store.list_workers(connection, since=since)
        return tuple(sorted(workers, key=lambda worker: worker.id))
