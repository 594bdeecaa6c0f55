"""`gen-video workers`: what runs where, and what operators ask of it."""

import time
from typing import Annotated

import typer

from gen_video.cli.configuration import open_services
from gen_video.cli.identity import this_operator
from gen_video.cli.terminal import Cell, note, print_rows
from gen_video.errors import ServiceError
from gen_video.generation.orders import Order, OrderAction, OrderState
from gen_video.generation.registry_store import WorkerRow
from gen_video.wiring import Services

LOOK_SECONDS = 0.5
ANSWER_SECONDS = 30.0

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Workers. / 管理工作进程。")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")]
WorkerId = Annotated[str, typer.Argument(help="Its id, see `list` / 工作进程 id")]
ModelId = Annotated[str, typer.Argument(help="Catalogue id / 模型 id")]


class OrderFailedError(ServiceError):
    """The worker could not do it."""

    code = "order_failed"
    message_en = "The worker could not do it: {answer}"
    message_zh = "工作进程未能完成：{answer}"


@app.command("list")
def list_workers(*, is_json: AsJson = False) -> None:
    """List the workers that live.

    列出在线的工作进程。
    """
    with open_services() as services:
        rows = services.workforce.list_workers()
    print_rows([_cells(row) for row in rows], is_json=is_json)


@app.command()
def drain(worker: WorkerId) -> None:
    """Let a worker finish its jobs and take no other; it lives on until `resume` or its end.

    排空：完成手头任务后不再领取新任务。
    """
    _ask(worker, OrderAction.DRAIN)


@app.command()
def resume(worker: WorkerId) -> None:
    """Let a drained worker take jobs again.

    恢复领取任务。
    """
    _ask(worker, OrderAction.RESUME)


@app.command()
def load(worker: WorkerId, model: ModelId) -> None:
    """Load a model into a worker's memory.

    将模型载入内存。
    """
    _ask(worker, OrderAction.LOAD, model)


@app.command()
def unload(worker: WorkerId, model: ModelId) -> None:
    """Let go of a model's memory; the next request loads it again.

    从内存中卸载模型。
    """
    _ask(worker, OrderAction.UNLOAD, model)


@app.command()
def check(worker: WorkerId, model: ModelId) -> None:
    """Let a worker try a model: one picture or a short clip, for nobody's quota.

    试运行模型，不占用任何配额。
    """
    _ask(worker, OrderAction.CHECK, model)


def _ask(worker: str, action: OrderAction, model: str | None = None) -> None:
    with open_services() as services:
        order = services.workforce.give_order(worker, action, model=model, by=this_operator())
        answered = _wait(services, order)
    if answered is None:
        note("Asked; the worker is busy and will do it.", "已下达，工作进程忙碌，稍后执行。")
        return
    if answered.state is OrderState.FAILED:
        raise OrderFailedError(answer=answered.answer)
    note(f"Done. {answered.answer or ''}".strip(), f"已完成。{answered.answer or ''}")


def _wait(services: Services, order: Order) -> Order | None:
    give_up_at = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < give_up_at:
        found = services.workforce.find_order(order.id)
        if found is None or found.state is not OrderState.PENDING:
            return found
        time.sleep(LOOK_SECONDS)
    return None


def _cells(row: WorkerRow) -> dict[str, Cell]:
    return {
        "id": row.id,
        "state": row.state,
        "host": row.host,
        "pid": row.pid,
        "slots": row.slots,
        "queues": ",".join(row.queues),
        "loaded": ",".join(row.resident),
        "seen_at": row.seen_at,
    }
