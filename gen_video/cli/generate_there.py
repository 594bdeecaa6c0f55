"""Generating on a service: submit, follow, save what it has made."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import typer

from gen_video.cli.download import save_outputs
from gen_video.cli.live import show_progress
from gen_video.cli.remote import connect, stay_reachable
from gen_video.cli.terminal import note, print_json, say
from gen_video.cli.wishes import Wish
from gen_video.client import Client, ClientError, ImageOptions, Job, Scene, VideoOptions

PICTURES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
VIDEOS = {".mp4": "mp4", ".webm": "webm", ".gif": "gif", ".webp": "webp"}


def generate(wish: Wish, *, base_url: str | None, has_to_wait: bool, is_json: bool) -> None:
    """Have it made by a service; save it, or say which job to come back to."""
    output = wish.output or Path("clip.mp4" if wish.is_video else "picture.png")
    output_format = _format_of(output, VIDEOS if wish.is_video else PICTURES)
    with connect(base_url, is_json=is_json) as client:
        job = _submit(client, wish, output_format)
        for hint in job.hints:
            note(hint.message, hint.code)
        if not has_to_wait:
            _say_accepted(job, is_json=is_json)
            return
        with stay_reachable(job.id), show_progress() as show:
            job = client.wait(job, on_progress=show)
        with _saved_later(job.id):
            paths = [str(path) for path in save_outputs(client, job, output)]
    _say_finished(job, paths, is_json=is_json)


def _submit(client: Client, wish: Wish, output_format: str) -> Job:
    if not wish.is_video:
        return client.generate_image(
            wish.prompt, image=wish.image, wait=False, **_image_options(wish, output_format)
        )
    options = _video_options(wish, output_format)
    if not wish.scenes:
        return client.generate_video(wish.prompt, wait=False, **options)
    return client.generate_video(scenes=_storyboard(wish), wait=False, **options)


def _image_options(wish: Wish, output_format: str) -> ImageOptions:
    own = {"n": wish.count, "output_format": output_format, "strength": wish.strength}
    return cast("ImageOptions", _given(own | _common(wish)))


def _video_options(wish: Wish, output_format: str) -> VideoOptions:
    own: dict[str, object] = {"output_format": output_format, "fps": wish.fps}
    if wish.scenes:
        own["transition"] = "crossfade" if wish.has_fades else "cut"
    else:
        # In a storyboard these belong into the scenes.
        own |= {"image": wish.image, **_length(wish)}
    return cast("VideoOptions", _given(own | _common(wish)))


def _storyboard(wish: Wish) -> list[Scene]:
    scenes = [
        {"prompt": prompt, "image": None if index else wish.image, **_length(wish)}
        for index, prompt in enumerate((wish.prompt, *wish.scenes))
    ]
    return [cast("Scene", _given(scene)) for scene in scenes]


def _length(wish: Wish) -> dict[str, object]:
    return {"duration": wish.duration, "num_frames": wish.frames}


def _common(wish: Wish) -> dict[str, object]:
    return {
        "negative_prompt": wish.negative_prompt,
        "width": wish.width,
        "height": wish.height,
        "num_inference_steps": wish.steps,
        "guidance_scale": wish.guidance,
        "seed": wish.seed,
        "model": wish.model,
    }


def _given(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _format_of(output: Path, formats: dict[str, str]) -> str:
    found = formats.get(output.suffix.lower())
    if found is None:
        raise typer.BadParameter(
            f"{output.name}: the name must end in one of {', '.join(formats)} / 文件名后缀不支持"
        )
    try:  # said before anything is made, and charged
        output.is_dir()
        is_there = output.parent.is_dir()
    except OSError as error:
        raise typer.BadParameter(f"{output.name[:40]}…: {error.strerror}") from error
    if not is_there:
        raise typer.BadParameter(f"{output.parent}: there is no such folder / 文件夹不存在")
    return found


@contextmanager
def _saved_later(job_id: str) -> Iterator[None]:
    """While files are saved: if it fails, say that they are still there."""
    try:
        yield
    except (ClientError, KeyboardInterrupt):
        note(
            f"{job_id} is done. Save it with: gen-video download {job_id}",
            f"任务已完成，可用此命令下载：gen-video download {job_id}",
        )
        raise


def _say_accepted(job: Job, *, is_json: bool) -> None:
    if is_json:
        print_json({"id": job.id, "status": job.status})
    else:
        say(job.id)
        note(f"Follow it: gen-video watch {job.id}", f"查看进度：gen-video watch {job.id}")


def _say_finished(job: Job, paths: list[str], *, is_json: bool) -> None:
    if is_json:
        print_json({"id": job.id, "status": job.status, "files": paths, "job": dict(job.raw)})
        return
    for path in paths:
        say(path)
    seconds, seed = job.elapsed_seconds or 0.0, job.input.get("seed")
    note(f"{seconds:.1f} s, seed {seed}, {job.id}", f"用时 {seconds:.1f} 秒，种子 {seed}")
