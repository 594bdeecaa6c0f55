"""`gen-video jobs`: list, show, cancel, delete."""

from enum import StrEnum
from typing import Annotated

import typer

from gen_video.cli.remote import AsJson, BaseUrl, connect
from gen_video.cli.terminal import Cell, note, print_json, print_rows
from gen_video.client import Job
from gen_video.client.jobs import JobFilters

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Your jobs. / 管理您的任务。")

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Its id, job_… / 任务 id")]
SHOWN_CHARACTERS = 40


class Status(StrEnum):
    """The states of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


class Kind(StrEnum):
    """The kinds of a job."""

    IMAGE = "image"
    VIDEO = "video"


@app.command("list")
def list_jobs(
    *,
    status: Annotated[Status | None, typer.Option(help="Only these / 状态")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Only these / 类型")] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", min=1, help="How many / 数量")] = 20,
    base_url: BaseUrl = None,
    is_json: AsJson = False,
) -> None:
    """List your jobs, newest first.

    列出任务，由新到旧。
    """
    filters: JobFilters = {}
    if status is not None:
        filters["status"] = status.value
    if kind is not None:
        filters["kind"] = kind.value
    with connect(base_url, is_json=is_json) as client:
        jobs = list(client.list_jobs(limit=limit, **filters))
    if is_json:
        print_json([job.raw for job in jobs])
    else:
        print_rows([_row(job) for job in jobs], is_json=False)


@app.command()
def show(job_id: JobId, *, base_url: BaseUrl = None, is_json: AsJson = False) -> None:
    """Show a job: state, progress, files.

    显示任务的状态、进度与文件。
    """
    with connect(base_url, is_json=is_json) as client:
        job = client.get_job(job_id)
        files = [f"{client.base_url}{output.url}" for output in job.outputs]
    if is_json:
        print_json(job.raw)
        return
    details: dict[str, Cell] = _row(job) | {
        "prompt": str(job.input.get("prompt", "")),
        "seed": job.input.get("seed"),
        "finished_at": job.finished_at,
        "error": None if job.error is None else job.error.message,
        "files": " ".join(files) or None,
    }
    print_rows([{"": name, " ": value} for name, value in details.items()], is_json=False)


@app.command()
def cancel(job_id: JobId, *, base_url: BaseUrl = None, is_json: AsJson = False) -> None:
    """Cancel a job that is not finished; its units come back.

    取消未完成的任务，并退还配额。
    """
    with connect(base_url, is_json=is_json) as client:
        job = client.cancel(job_id)
    if is_json:
        print_json(job.raw)
    note(f"{job.id} is {job.status}.", f"{job.id} 当前状态：{job.status}。")


@app.command()
def delete(job_id: JobId, *, base_url: BaseUrl = None, is_json: AsJson = False) -> None:
    """Erase the files of a finished job.

    删除已结束任务的文件。
    """
    with connect(base_url, is_json=is_json) as client:
        job = client.delete(job_id)
    if is_json:
        print_json(job.raw)
    note(f"The files of {job.id} are erased.", f"已删除 {job.id} 的文件。")


def _row(job: Job) -> dict[str, Cell]:
    prompt = str(job.input.get("prompt", "")).replace("\n", " ")
    return {
        "id": job.id,
        "kind": job.kind,
        "status": job.status,
        "percent": round(job.progress.percent),
        "model": job.model,
        "created_at": job.created_at,
        "prompt": prompt if len(prompt) <= SHOWN_CHARACTERS else f"{prompt[:SHOWN_CHARACTERS]}…",
    }
