"""`gen-video download JOB`: save what a job has made."""

from pathlib import Path
from typing import Annotated

import typer

from gen_video.cli.jobs import JobId
from gen_video.cli.remote import AsJson, BaseUrl, connect
from gen_video.cli.terminal import note, print_json, say
from gen_video.cli.wishes import file_name
from gen_video.client import Client, DownloadError, Job

app = typer.Typer(add_completion=False)


@app.command()
def download(
    job_id: JobId,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File or folder / 文件或文件夹")
    ] = Path(),
    base_url: BaseUrl = None,
    is_json: AsJson = False,
) -> None:
    """Save the files of a job: whole and checked, or not at all.

    A name with a suffix is a file (several get -1, -2, …), anything else a folder.

    保存任务的文件（校验完整性）；带后缀的名称为文件，多个文件依次加 -1、-2……，否则为文件夹。
    """
    with connect(base_url, is_json=is_json) as client:
        paths = save_outputs(client, client.get_job(job_id), output)
    if is_json:
        print_json([str(path) for path in paths])
        return
    for path in paths:
        say(str(path))
    if not paths:
        note("The job has no files.", "该任务没有文件。")


def save_outputs(client: Client, job: Job, output: Path) -> list[Path]:
    """Save a job's outputs as a file that is named, or into a folder."""
    if output.suffix and not _is_folder(output):
        return [
            client.download(one, file_name(output, position=index, count=len(job.outputs)))
            for index, one in enumerate(job.outputs)
        ]
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{output}: {error.strerror}") from error
    return list(client.download_all(job, output))


def _is_folder(output: Path) -> bool:
    try:
        return output.is_dir()
    except OSError as error:  # a name that no file can have
        raise DownloadError(f"{output.name[:40]}…: {error.strerror}") from error
