"""`gen-video generate "提示词" -o picture.png`: draw or film at once, here or on a service.

Here unless a service is asked for: a login alone moves no work elsewhere. What one way needs is
loaded for that way alone.
"""

from pathlib import Path
from typing import Annotated

import typer

from gen_video.cli.wishes import Wish, is_video_name

app = typer.Typer(add_completion=False)

IsRemote = Annotated[
    bool, typer.Option("--remote", help="On the service of the login / 使用已登录的服务")
]
Address = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="On this service / 使用此服务")
]
HasToWait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="For the result, remote / 等待远程结果")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, remote / 输出 JSON（远程）")]


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
    is_remote: IsRemote = False,
    base_url: Address = None,
    has_to_wait: HasToWait = True,
    is_json: AsJson = False,
) -> None:
    """Draw a picture, or make a video with --video, and save it.

    Several pictures get -1, -2, … before the suffix. On this machine, unless --remote or
    --base-url asks for a service.

    生成图片，或用 --video 生成视频，并保存；多张图片时文件名依次加 -1、-2……
    默认在本机生成，--remote 或 --base-url 表示使用远程服务。
    """
    wish = Wish(
        prompt=prompt,
        output=output,
        is_video=video or (output is not None and is_video_name(output)),
        scenes=tuple(scene or ()),
        has_fades=crossfade,
        duration=duration,
        frames=frames,
        fps=fps,
        negative_prompt=negative_prompt,
        width=width,
        height=height,
        steps=steps,
        guidance=guidance,
        seed=seed,
        count=count,
        model=model,
        image=image,
        strength=strength,
    )
    _check(wish)
    if is_remote or base_url is not None:
        from gen_video.cli import generate_there  # noqa: PLC0415 - each way loads its own

        generate_there.generate(wish, base_url=base_url, has_to_wait=has_to_wait, is_json=is_json)
        return
    if is_json or not has_to_wait:
        raise typer.BadParameter("--json and --no-wait need --remote / 需要 --remote")
    from gen_video.cli import generate_here  # noqa: PLC0415 - as above

    generate_here.generate(wish)


def _check(wish: Wish) -> None:
    if wish.is_video:
        _refuse_beside_video(count=wish.count, strength=wish.strength)
        return
    _refuse_beside_pictures(
        scene=wish.scenes or None,
        duration=wish.duration,
        frames=wish.frames,
        fps=wish.fps,
        crossfade=wish.has_fades,
    )


def _refuse_beside_video(*, count: int, strength: float | None) -> None:
    if count != 1 or strength is not None:
        raise typer.BadParameter(
            "--count and --strength are for pictures / --count 与 --strength 仅用于图片"
        )


def _refuse_beside_pictures(**given: object) -> None:
    for name, value in given.items():
        if value is not None and value is not False:
            raise typer.BadParameter(f"--{name} needs --video / --{name} 需要 --video")
