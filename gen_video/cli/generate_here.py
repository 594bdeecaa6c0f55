"""Generating on this machine: no service, no account, no database."""

import time
from dataclasses import replace
from pathlib import Path

from gen_video.cli import drawing, filming
from gen_video.cli.configuration import load_settings
from gen_video.cli.progress import progress_bar
from gen_video.cli.quiet import quiet_logs
from gen_video.cli.terminal import note, say
from gen_video.cli.wishes import Wish, file_name
from gen_video.generation.hints import find_all_hints, find_hints
from gen_video.generation.requests import ImageRequest
from gen_video.generation.video_requests import SceneRequest, VideoRequest


def generate(wish: Wish) -> None:
    """Draw or film, and save it."""
    quiet_logs()
    if wish.is_video:
        _film(_video_request(wish), wish)
    else:
        _draw(_image_request(wish), wish.output or Path("picture.png"), image=wish.image)


def _video_request(wish: Wish) -> VideoRequest:
    return VideoRequest(
        scenes=(SceneRequest(num_frames=wish.frames, duration=wish.duration),),
        negative_prompt=wish.negative_prompt,
        width=wish.width,
        height=wish.height,
        fps=wish.fps,
        num_inference_steps=wish.steps,
        guidance_scale=wish.guidance,
        seed=wish.seed,
        model=wish.model,
    )


def _image_request(wish: Wish) -> ImageRequest:
    return ImageRequest(
        prompt=wish.prompt,
        negative_prompt=wish.negative_prompt,
        width=wish.width,
        height=wish.height,
        num_inference_steps=wish.steps,
        guidance_scale=wish.guidance,
        seed=wish.seed,
        n=wish.count,
        model=wish.model,
        strength=wish.strength,
    )


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


def _film(request: VideoRequest, wish: Wish) -> None:
    output = wish.output or Path("clip.mp4")
    prompts = [wish.prompt, *wish.scenes]
    request = replace(request, output_format=filming.format_of(output).value)
    settings = load_settings()
    catalogue = drawing.open_catalogue(settings, *([request.model] if request.model else []))
    complete, references = filming.storyboard(
        request, prompts, image=wish.image, has_fades=wish.has_fades
    )
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
