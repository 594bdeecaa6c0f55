"""P16 and P18: pictures beside a running video, and what encoding costs."""

import statistics
import time
from pathlib import Path

import httpx
import numpy as np

from benchmarks.figures import Figure, milliseconds, percentile
from benchmarks.service import PROJECT_FOLDER, Target, running
from gen_video.adapters import build_engine
from gen_video.engines.catalogue import load_catalogue
from gen_video.engines.tasks import StepProgress
from gen_video.generation.films import Studio, video_task
from gen_video.generation.models import SceneInput, VideoInput
from gen_video.media.pictures import PictureFormat, encode_picture
from gen_video.media.videos import VideoEncoder, VideoFormat
from gen_video.settings import Settings

SETTINGS = {
    "ENABLE_TEST_MODEL": "1",
    "DEFAULT_IMAGE_MODEL": "test-double",
    "DEFAULT_VIDEO_MODEL": "test-double",
    "PRELOAD_MODELS": "",
}
PICTURE_SECONDS, PICTURES = 0.4, 12
VIDEO_SECONDS, VIDEO_STEPS = 16.0, 80
PICTURE = {"prompt": f"sleep={PICTURE_SECONDS}", "width": 64, "height": 64}
VIDEO = {
    "prompt": f"sleep={VIDEO_SECONDS}",
    "width": 64,
    "height": 64,
    "num_frames": 8,
    "num_inference_steps": VIDEO_STEPS,
}
FRAMES, WIDTH, HEIGHT = 81, 1280, 720
ROUNDS = 3


def measure_sharing(folder: Path) -> list[Figure]:
    """P16: a picture every now and then, alone and while a video runs on the same device."""
    with running(folder, "serve", settings=SETTINGS) as target, _client(target) as client:
        _draw(client)
        alone = [_draw(client) for _ in range(PICTURES)]
        video_alone = _film(client, pictures=None)
        beside: list[float] = []
        video_beside = _film(client, pictures=beside)
    step = VIDEO_SECONDS / VIDEO_STEPS
    ratio = (percentile(beside, 0.95) - step) / percentile(alone, 0.95)
    share = max(0.01, 1 - sum(beside) / video_beside)
    return [
        Figure(
            goal="P16",
            name="picture p95 beside a video, less one of its steps ÷ alone",
            value=round(ratio, 2),
            unit="×",
            must="≤ 1.3",
            details={
                "alone_p95": round(percentile(alone, 0.95), 3),
                "beside_p95": round(percentile(beside, 0.95), 3),
                "pictures": len(beside),
            },
        ),
        Figure(
            goal="P16",
            name="slowdown of the video x the share of time left to it",
            value=round(video_beside / video_alone * share, 2),
            unit="×",
            must="≤ 1.1",
            details={
                "alone_seconds": round(video_alone, 1),
                "beside_seconds": round(video_beside, 1),
                "share": round(share, 2),
            },
        ),
    ]


def measure_encoding(_folder: Path) -> list[Figure]:
    """P18: a PNG of 1024 x 1024, and 81 moving frames of 720p as MP4."""
    dice = np.random.default_rng(0)
    ground = dice.integers(0, 255, (HEIGHT // 16, WIDTH // 16 + FRAMES, 3), np.uint8)
    frames = [
        np.ascontiguousarray(
            ground[:, number : number + WIDTH // 16].repeat(16, 0).repeat(16, 1)
        ).tobytes()
        for number in range(FRAMES)
    ]
    picture = frames[0][: 1024 * 1024 * 3].ljust(1024 * 1024 * 3, b"\0")
    png, mp4 = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        encode_picture(
            picture, width=1024, height=1024, picture_format=PictureFormat.PNG, parameters={}
        )
        png.append(time.perf_counter() - started)
        started = time.perf_counter()
        with VideoEncoder(
            width=WIDTH, height=HEIGHT, fps=16, video_format=VideoFormat.MP4, parameters={}
        ) as encoder:
            for frame in frames:
                encoder.add(frame)
            encoder.finish()
        mp4.append(time.perf_counter() - started)
    return [
        Figure(
            goal="P18",
            name="PNG 1024²",
            value=milliseconds(statistics.median(png)),
            unit="ms",
            must="≤ 60",
        ),
        Figure(
            goal="P18",
            name=f"MP4, {FRAMES} frames {WIDTH}x{HEIGHT}",
            value=round(statistics.median(mp4), 2),
            unit="s",
            must="≤ 1.5",
        ),
    ]


def measure_hiding(folder: Path) -> list[Figure]:
    """P18: how much of the encoding happens while the engine still makes frames.

    The engine is the test double in its real child process, which sends raw 720p frames.
    """
    settings = Settings(_env_file=None, data_dir=folder, enable_test_model=True)
    catalogue = load_catalogue(
        settings.models_file,
        default_image_model="test-double",
        include_test_models=True,
        base_folder=PROJECT_FOLDER,
    )
    wanted = VideoInput(
        prompt="a bar",
        negative_prompt="",
        width=WIDTH,
        height=HEIGHT,
        fps=16,
        num_inference_steps=1,
        guidance_scale=1.0,
        seed=1,
        model="test-double",
        output_format="mp4",
        scenes=(SceneInput(prompt="a bar", num_frames=FRAMES),),
    )
    engine = build_engine(settings, catalogue)
    try:
        makes, both, encodes = [], [], []
        for number in range(ROUNDS + 1):
            task = video_task(wanted, 0, task_id=f"make-{number}", reference=None)
            started = time.perf_counter()
            for _ in engine.film(task, on_progress=_ignore):
                pass
            makes.append(time.perf_counter() - started)
            studio = Studio(engine, wanted, on_progress=_ignore)
            started = time.perf_counter()
            studio.shoot(task_id=f"both-{number}", references=[None], parameters={})
            both.append(time.perf_counter() - started)
            encodes.append(studio.encode_seconds)
    finally:
        engine.close()
    make, film, encode = (statistics.median(each[1:]) for each in (makes, both, encodes))
    return [
        Figure(
            goal="P18",
            name="share of the shorter one of making and encoding frames that the other hides",
            value=round((make + encode - film) / min(make, encode), 2),
            unit="",
            must="≥ 0.80",
            details={"make": round(make, 2), "encode": round(encode, 2), "both": round(film, 2)},
        )
    ]


def _ignore(_progress: StepProgress) -> None:
    return None


def _client(target: Target) -> httpx.Client:
    return httpx.Client(
        base_url=f"{target.url}/api/v1",
        headers={"X-API-Key": target.key},
        timeout=300,
        trust_env=False,
    )


def _draw(client: httpx.Client) -> float:
    started = time.perf_counter()
    client.post("/images/generate", json=PICTURE).raise_for_status()
    return time.perf_counter() - started


def _film(client: httpx.Client, *, pictures: list[float] | None) -> float:
    """Return a video's seconds from its first step to its end; draw beside it if asked."""
    answer = client.post("/videos/generate", json=VIDEO, headers={"Prefer": "respond-async"})
    job = f"/jobs/{answer.raise_for_status().json()['task_id']}"
    while client.get(job).json()["progress"]["step"] < 1:
        time.sleep(0.02)
    started = time.perf_counter()
    while client.get(job).json()["status"] == "running":
        if pictures is not None and len(pictures) < PICTURES:
            pictures.append(_draw(client))
        time.sleep(PICTURE_SECONDS)
    return time.perf_counter() - started
