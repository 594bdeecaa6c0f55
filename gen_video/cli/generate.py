"""`gen-video generate "提示词" -o picture.png`: draw or film at once, without a service."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gen_video.cli import drawing, filming
from gen_video.cli.configuration import load_settings
from gen_video.cli.progress import progress_bar
from gen_video.cli.terminal import note, say
from gen_video.generation.hints import find_all_hints, find_hints
from gen_video.generation.requests import ImageRequest
from gen_video.generation.video_requests import SceneRequest, VideoRequest

app = typer.Typer(add_completion=False)


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="What to draw or film / 提示词")],
    *,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File / 输出文件")] = None,
    video: Annotated[bool, typer.Option("--video", help="Make a video / 生成视频")] = False,
    scene: Annotated[
        list[str] | None, typer.Option(help="A further scene, repeatable / 后续分镜，可重复")
    ] = None,
    crossfade: Annotated[bool, typer.Option("--crossfade", help="Fade scenes / 渐变转场")] = False,
    duration: Annotated[float | None, typer.Option(help="Seconds of a scene / 秒数")] = None,
    frames: Annotated[int | None, typer.Option(help="Frames of a scene / 帧数")] = None,
    fps: Annotated[int | None, typer.Option(help="Frames per second / 帧率")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What to avoid / 反向提示词")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels / 宽")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels / 高")] = None,
    steps: Annotated[int | None, typer.Option(help="Inference steps / 推理步数")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale / 引导强度")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same picture / 随机种子")] = None,
    count: Annotated[int, typer.Option("-n", "--count", help="Pictures / 张数")] = 1,
    model: Annotated[str | None, typer.Option(help="Catalogue id / 模型")] = None,
    image: Annotated[
        Path | None, typer.Option(help="Reference image or first frame / 参考图或首帧")
    ] = None,
    strength: Annotated[float | None, typer.Option(help="Distance from it / 重绘强度")] = None,
) -> None:
    """Draw a picture, or make a video with --video, and save it.

    Several pictures get -1, -2, … before the suffix.

    生成图片，或用 --video 生成视频，并保存；多张图片时文件名依次加 -1、-2……
    """
    if video or (output is not None and filming.is_video_name(output)):
        _refuse_beside_video(count=count, strength=strength)
        request = VideoRequest(
            scenes=(SceneRequest(num_frames=frames, duration=duration),),
            negative_prompt=negative_prompt,
            width=width,
            height=height,
            fps=fps,
            num_inference_steps=steps,
            guidance_scale=guidance,
            seed=seed,
            model=model,
        )
        prompts = [prompt, *(scene or [])]
        _film(request, prompts, output or Path("clip.mp4"), image=image, has_fades=crossfade)
        return
    _refuse_beside_pictures(
        scene=scene, duration=duration, frames=frames, fps=fps, crossfade=crossfade
    )
    picture = ImageRequest(
        prompt=prompt,
        negative_prompt=negative_prompt,
        width=width,
        height=height,
        num_inference_steps=steps,
        guidance_scale=guidance,
        seed=seed,
        n=count,
        model=model,
        strength=strength,
    )
    _draw(picture, output or Path("picture.png"), image=image)


def _draw(request: ImageRequest, output: Path, *, image: Path | None) -> None:
    drawing.format_of(output)
    settings = load_settings()
    catalogue = drawing.open_catalogue(settings, *([request.model] if request.model else []))
    prepared = drawing.prepare(request, settings=settings, catalogue=catalogue, image=image)
    for hint in find_hints(request.prompt, model=prepared.wanted.model, catalogue=catalogue):
        note(hint.en, hint.zh)
    started = time.monotonic()
    with drawing.open_engine(settings, catalogue) as engine, progress_bar() as move:
        for picture in drawing.draw(engine, prepared, on_progress=move):
            path = file_name(output, position=picture.index, count=request.n)
            drawing.save(picture, prepared.wanted, path)
            say(str(path))
    _note_time(started, seed=prepared.wanted.seed)


def _film(
    request: VideoRequest, prompts: list[str], output: Path, *, image: Path | None, has_fades: bool
) -> None:
    request = replace(request, output_format=filming.format_of(output).value)
    settings = load_settings()
    catalogue = drawing.open_catalogue(settings, *([request.model] if request.model else []))
    complete, references = filming.storyboard(request, prompts, image=image, has_fades=has_fades)
    wanted_model = complete.model or catalogue.default_video_model
    for hint in find_all_hints(prompts, model=wanted_model, catalogue=catalogue):
        note(hint.en, hint.zh)
    started = time.monotonic()
    made, data = filming.make(complete, references, settings=settings, catalogue=catalogue)
    drawing.write_whole(output, data)
    say(str(output))
    _note_time(started, seed=made.seed)


def _note_time(started: float, *, seed: int) -> None:
    seconds = time.monotonic() - started
    note(f"{seconds:.1f} s, seed {seed}", f"用时 {seconds:.1f} 秒，种子 {seed}")


def _refuse_beside_video(*, count: int, strength: float | None) -> None:
    if count != 1 or strength is not None:
        raise typer.BadParameter(
            "--count and --strength are for pictures / --count 与 --strength 仅用于图片"
        )


def _refuse_beside_pictures(**given: object) -> None:
    for name, value in given.items():
        if value is not None and value is not False:
            raise typer.BadParameter(f"--{name} needs --video / --{name} 需要 --video")


def file_name(output: Path, *, position: int, count: int) -> Path:
    """Return where the picture at a position (from 0) of `count` goes."""
    if count == 1:
        return output
    return output.with_name(f"{output.stem}-{position + 1}{output.suffix}")
