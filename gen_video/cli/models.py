"""`gen-video models`: what can be offered, whether it works, and more of it."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gen_video.cli import drawing, filming
from gen_video.cli.catalogue_file import NewEntry, append_entry
from gen_video.cli.configuration import load_settings
from gen_video.cli.progress import progress_bar
from gen_video.cli.terminal import Cell, note, print_json, print_rows, say
from gen_video.engines.catalogue import Catalogue, ModelSpec, UnknownModelError, read_specs
from gen_video.engines.weights import find_folder
from gen_video.settings import PROJECT_FOLDER, Settings

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Models. / 管理模型。")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")]
ModelId = Annotated[str, typer.Argument(help="Catalogue id / 模型 id")]


@app.command("list")
def list_models(*, is_json: AsJson = False) -> None:
    """List every entry of the catalogue; "offered" tells what requests may name.

    列出目录中的全部模型。
    """
    settings = load_settings()
    offered = {spec.id for spec in drawing.open_catalogue(settings).list_models()}
    rows = [_cells(spec, settings, offered=offered) for spec in read_specs(settings.models_file)]
    print_rows(rows, is_json=is_json)


@app.command()
def check(
    model: Annotated[str | None, typer.Argument(help="Catalogue id / 模型 id")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Keep the file / 保存文件")
    ] = None,
    *,
    is_json: AsJson = False,
) -> None:
    """Load a model as the service does and draw a test picture, or make a short clip.

    加载模型并绘制一张测试图，或生成一小段视频。
    """
    settings = load_settings()
    spec = find_spec(settings, model or settings.default_image_model)
    catalogue = drawing.open_catalogue(settings, spec.id)
    if not spec.makes_pictures:
        _check_video(spec, output, settings=settings, catalogue=catalogue, is_json=is_json)
        return
    request = drawing.trial_request(spec)
    prepared = drawing.prepare(request, settings=settings, catalogue=catalogue, image=None)
    started = time.monotonic()
    with drawing.open_engine(settings, catalogue) as engine, progress_bar() as move:
        for picture in drawing.draw(engine, prepared, on_progress=move):
            if output is not None:
                drawing.save(picture, prepared.wanted, output)
    seconds = round(time.monotonic() - started, 2)
    wanted = prepared.wanted
    if is_json:
        print_json({"model": spec.id, "seconds": seconds, "width": wanted.width})
        return
    size = f"{wanted.width}x{wanted.height}, {wanted.num_inference_steps} steps"
    note(f"{spec.id} works: {size}, {seconds} s.", f"{spec.id} 可用：{seconds} 秒。")


def _check_video(
    spec: ModelSpec,
    output: Path | None,
    *,
    settings: Settings,
    catalogue: Catalogue,
    is_json: bool,
) -> None:
    request, references = filming.trial_request(spec)
    if output is not None:
        request = replace(request, output_format=filming.format_of(output).value)
    started = time.monotonic()
    wanted, data = filming.make(request, references, settings=settings, catalogue=catalogue)
    if output is not None:
        drawing.write_whole(output, data)
    seconds = round(time.monotonic() - started, 2)
    if is_json:
        print_json({"model": spec.id, "seconds": seconds, "frames": wanted.num_frames})
        return
    size = f"{wanted.width}x{wanted.height}, {wanted.num_frames} frames"
    note(f"{spec.id} works: {size}, {seconds} s.", f"{spec.id} 可用：{seconds} 秒。")


@app.command()
def pull(model: ModelId) -> None:
    """Download a model's files now instead of at its first use.

    立即下载模型文件。
    """
    settings = load_settings()
    folder = find_folder(find_spec(settings, model), is_offline=settings.hub_offline)
    say(str(folder))


@app.command()
def add(
    model: Annotated[str, typer.Argument(help="New id / 新的模型 id")],
    source: Annotated[str, typer.Argument(help="Folder or hub id / 本地目录或仓库 id")],
    *,
    hub: Annotated[
        str, typer.Option(help="local, huggingface or modelscope; guessed from the source")
    ] = "",
    title_en: Annotated[str, typer.Option()] = "",
    title_zh: Annotated[str, typer.Option()] = "",
    kinds: Annotated[str, typer.Option(help="With commas / 逗号分隔")] = "text-to-image",
    width: Annotated[int, typer.Option(help="Default / 默认宽")] = 1024,
    height: Annotated[int, typer.Option(help="Default / 默认高")] = 1024,
    steps: Annotated[int, typer.Option(help="Default / 默认步数")] = 30,
    guidance: Annotated[float, typer.Option(help="Default / 默认引导强度")] = 5.0,
    dtype: Annotated[str, typer.Option(help="auto, float32, float16, bfloat16")] = "auto",
    offload: Annotated[str, typer.Option(help="none, model or sequential")] = "none",
    memory_mib: Annotated[int, typer.Option(help="Expected need / 预计内存")] = 8192,
    licence: Annotated[str, typer.Option(help="Read it first / 许可证")] = "unknown",
    frames: Annotated[int, typer.Option(help="Of a video / 视频默认帧数", min=0)] = 0,
    max_frames: Annotated[int, typer.Option(help="At most / 最多帧数", min=0)] = 0,
    frames_step: Annotated[int, typer.Option(help="4: makes 4k+1 / 帧数为 step×k+1", min=1)] = 1,
    fps: Annotated[int, typer.Option(help="Of a video / 视频默认帧率", min=1, max=60)] = 16,
    is_enabled: Annotated[bool, typer.Option("--enable/--no-enable")] = True,
) -> None:
    """Append an entry to models.toml after checking it.

    校验后写入 models.toml。
    """
    entry = NewEntry(
        id=model,
        title_en=title_en or model,
        title_zh=title_zh or title_en or model,
        kinds=tuple(part.strip() for part in kinds.split(",") if part.strip()),
        source=source,
        hub=hub or _guess_hub(source),
        dtype=dtype,
        offload=offload,
        width=width,
        height=height,
        steps=steps,
        guidance=guidance,
        memory_mib=memory_mib,
        licence=licence,
        is_enabled=is_enabled,
        frames=frames,
        max_frames=max_frames,
        frames_step=frames_step,
        fps=fps,
    )
    path = load_settings().models_file
    append_entry(path, entry)
    note(
        f"Added {model} to {path.name}; try it with: gen-video models check {model}",
        f"已写入 {path.name}，可用 gen-video models check {model} 试画",
    )


def find_spec(settings: Settings, model: str) -> ModelSpec:
    """Return an entry of the catalogue, enabled or not.

    Raises:
        UnknownModelError: There is none of that id.
    """
    spec = next((spec for spec in read_specs(settings.models_file) if spec.id == model), None)
    if spec is None:
        raise UnknownModelError(model=model)
    if spec.hub != "local":
        return spec
    return spec.model_copy(update={"source": str(PROJECT_FOLDER / spec.source)})


def _guess_hub(source: str) -> str:
    is_folder = source.startswith((".", "/", "~")) or (PROJECT_FOLDER / source).is_dir()
    return "local" if is_folder else "huggingface"


def _cells(spec: ModelSpec, settings: Settings, *, offered: set[str]) -> dict[str, Cell]:
    return {
        "id": spec.id,
        "offered": spec.id in offered,
        "default": spec.id in {settings.default_image_model, settings.default_video_model},
        "title": spec.title_en,
        "kinds": ",".join(sorted(kind.value for kind in spec.kinds)),
        "size": f"{spec.defaults.width}x{spec.defaults.height}",
        "steps": spec.defaults.num_inference_steps,
        "memory_mib": spec.memory_mib,
        "licence": spec.licence,
        "source": spec.source,
    }
