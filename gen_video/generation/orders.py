"""Orders: what operators ask of workers, and the SQL of them. Never commits.

A worker looks for its orders beside each sign of life. One that ended before it saw an order
answers nothing: the order fails when somebody lists them and the worker is gone.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from gen_video.generation.tables import worker_orders
from gen_video.ids import new_id

# In words: a database uses a partial index only where it can read the condition.
IS_PENDING = worker_orders.c.state == literal_column("'pending'")


class OrderAction(StrEnum):
    """What a worker is asked to do; the last three name a model."""

    DRAIN = "drain"
    RESUME = "resume"
    LOAD = "load"
    UNLOAD = "unload"
    CHECK = "check"

    @property
    def needs_model(self) -> bool:
        """Tell whether the order is about a model."""
        return self not in {OrderAction.DRAIN, OrderAction.RESUME}


class OrderState(StrEnum):
    """Where an order is."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order to one worker; `answer` is what the worker said."""

    id: str
    worker_id: str
    action: OrderAction
    model: str | None
    state: OrderState
    answer: str | None
    created_at: datetime
    ended_at: datetime | None


def insert_order(
    connection: Connection,
    *,
    worker_id: str,
    action: OrderAction,
    model: str | None,
    now: datetime,
) -> Order:
    """Add an order."""
    order = Order(
        id=new_id("ord"),
        worker_id=worker_id,
        action=action,
        model=model,
        state=OrderState.PENDING,
        answer=None,
        created_at=now,
        ended_at=None,
    )
    connection.execute(
        insert(worker_orders).values(
            id=order.id,
            worker_id=worker_id,
            action=action.value,
            model=model,
            state=order.state.value,
            created_at=now,
        )
    )
    return order


def list_pending(connection: Connection, worker_id: str) -> list[Order]:
    """Return what a worker has been asked and has not done yet, oldest first."""
    return _list(
        connection, IS_PENDING, worker_orders.c.worker_id == worker_id, limit=100, is_newest=False
    )


def find_pending(
    connection: Connection, *, worker_id: str, action: OrderAction, model: str | None
) -> Order | None:
    """Return the same order if it is still to be done."""
    no_model = worker_orders.c.model.is_(None)
    is_same_model = no_model if model is None else worker_orders.c.model == model
    found = _list(
        connection,
        IS_PENDING,
        worker_orders.c.worker_id == worker_id,
        worker_orders.c.action == action.value,
        is_same_model,
        limit=1,
        is_newest=True,
    )
    return found[0] if found else None


def find_order(connection: Connection, order_id: str) -> Order | None:
    """Return an order."""
    found = _list(connection, worker_orders.c.id == order_id, limit=1, is_newest=True)
    return found[0] if found else None


def find_place(connection: Connection, order_id: str) -> tuple[datetime, str] | None:
    """Return where an order stands in their order."""
    row = connection.execute(
        select(worker_orders.c.created_at, worker_orders.c.id).where(worker_orders.c.id == order_id)
    ).one_or_none()
    return None if row is None else (row.created_at, row.id)


def list_latest(
    connection: Connection, *, limit: int, after: tuple[datetime, str] | None = None
) -> list[Order]:
    """Return orders of all workers, newest first, from behind (created_at, id)."""
    conditions: list[ColumnElement[bool]] = []
    if after is not None:
        at, order_id = after
        conditions.append(
            or_(
                worker_orders.c.created_at < at,
                and_(worker_orders.c.created_at == at, worker_orders.c.id < order_id),
            )
        )
    return _list(connection, *conditions, limit=limit, is_newest=True)


def end_order(
    connection: Connection, order_id: str, *, state: OrderState, answer: str, now: datetime
) -> None:
    """Write what came of an order, once."""
    connection.execute(
        update(worker_orders)
        .where(worker_orders.c.id == order_id, IS_PENDING)
        .values(state=state.value, answer=answer[:500], ended_at=now)
    )


def fail_orphans(
    connection: Connection, *, alive: Collection[str], answer: str, now: datetime
) -> None:
    """End what was asked of workers that are gone."""
    connection.execute(
        update(worker_orders)
        .where(IS_PENDING, worker_orders.c.worker_id.not_in(alive))
        .values(state=OrderState.FAILED.value, answer=answer, ended_at=now)
    )


def forget_old(connection: Connection, *, before: datetime) -> None:
    """Remove orders from before a moment."""
    connection.execute(delete(worker_orders).where(worker_orders.c.created_at < before))


def _list(
    connection: Connection, *conditions: ColumnElement[bool], limit: int, is_newest: bool
) -> list[Order]:
    order = (worker_orders.c.created_at, worker_orders.c.id)
    statement = (
        select(worker_orders)
        .where(*conditions)
        .order_by(*(column.desc() if is_newest else column for column in order))
        .limit(limit)
    )
    return [
        Order(
            id=row.id,
            worker_id=row.worker_id,
            action=OrderAction(row.action),
            model=row.model,
            state=OrderState(row.state),
            answer=row.answer,
            created_at=row.created_at,
            ended_at=row.ended_at,
        )
        for row in connection.execute(statement)
    ]
