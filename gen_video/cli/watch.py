"""`gen-video watch JOB`: follow a job live, to its end."""

import json

import typer

from gen_video.cli.jobs import JobId
from gen_video.cli.live import show_progress
from gen_video.cli.remote import AsJson, BaseUrl, connect, stay_reachable
from gen_video.cli.terminal import say
from gen_video.client import Client, Job, JobEvent
from gen_video.client.following import failure_of

app = typer.Typer(add_completion=False)


@app.command()
def watch(job_id: JobId, *, base_url: BaseUrl = None, is_json: AsJson = False) -> None:
    """Follow a job to its end: step, place in the queue, time that is left.

    With --json a line of JSON for every event. Ctrl-C stops watching, not the job. Exit code 1
    when the job has no result.

    实时跟踪任务直到结束；--json 每个事件输出一行 JSON。Ctrl-C 只停止查看，不会取消任务。
    """
    with connect(base_url, is_json=is_json) as client, stay_reachable(job_id):
        if is_json:
            job = _print_events(client, job_id)
        else:
            with show_progress() as show:
                job = client.wait(job_id, on_progress=show)
            for output in job.outputs:
                say(f"{client.base_url}{output.url}")
    if not job.is_succeeded:
        raise SystemExit(1) from failure_of(job)


def _print_events(client: Client, job_id: str) -> Job:
    for event in client.stream(job_id):
        say(json.dumps(_shown(event), ensure_ascii=False, separators=(",", ":")))
        if event.job is not None:
            return event.job
    return client.get_job(job_id)


def _shown(event: JobEvent) -> dict[str, object]:
    return {"event": event.name, "number": event.number, "data": dict(event.raw)}
