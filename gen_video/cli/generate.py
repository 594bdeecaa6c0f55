"""`gen-video generate "提示词" -o picture.png`: draw at once, without a service."""

import time
from pathlib import Path
from typing import Annotated

import typer

from gen_video.cli import drawing
from gen_video.cli.configuration import load_settings
from gen_video.cli.progress import progress_bar
from gen_video.cli.terminal import note, say
from gen_video.generation.hints import find_hints
from gen_video.generation.requests import ImageRequest

app = typer.Typer(add_completion=False)


@app.command()
def generate(
    prompt: Annotated[str, typer.Argument(help="What to draw / 提示词")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="File / 输出文件")] = Path(
        "picture.png"
    ),
    negative_prompt: Annotated[str | None, typer.Option(help="What to avoid / 反向提示词")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels / 宽")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels / 高")] = None,
    steps: Annotated[int | None, typer.Option(help="Inference steps / 推理步数")] = None,
    guidance: Annotated[float | None, typer.Option(help="Guidance scale / 引导强度")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same picture / 随机种子")] = None,
    count: Annotated[int, typer.Option("-n", "--count", help="Pictures / 张数")] = 1,
    model: Annotated[str | None, typer.Option(help="Catalogue id / 模型")] = None,
    image: Annotated[Path | None, typer.Option(help="Reference image / 参考图")] = None,
    strength: Annotated[float | None, typer.Option(help="Distance from it / 重绘强度")] = None,
) -> None:
    """Draw a picture and save it; several get -1, -2, … before the suffix.

    生成图片并保存；多张时文件名依次加 -1、-2……
    """
    drawing.format_of(output)
    settings = load_settings()
    catalogue = drawing.open_catalogue(settings, *([model] if model else []))
    request = ImageRequest(
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
    prepared = drawing.prepare(request, settings=settings, catalogue=catalogue, image=image)
    for hint in find_hints(prompt, model=prepared.wanted.model, catalogue=catalogue):
        note(hint.en, hint.zh)
    started = time.monotonic()
    with drawing.open_engine(settings, catalogue) as engine, progress_bar() as move:
        for picture in drawing.draw(engine, prepared, on_progress=move):
            path = file_name(output, position=picture.index, count=count)
            drawing.save(picture, prepared.wanted, path)
            say(str(path))
    seconds = time.monotonic() - started
    seed_used = prepared.wanted.seed
    note(f"{seconds:.1f} s, seed {seed_used}", f"用时 {seconds:.1f} 秒，种子 {seed_used}")


def file_name(output: Path, *, position: int, count: int) -> Path:
    """Return where the picture at a position (from 0) of `count` goes."""
    if count == 1:
        return output
    return output.with_name(f"{output.stem}-{position + 1}{output.suffix}")
