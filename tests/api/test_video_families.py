"""Every listed family of video models, from a request over HTTP to an MP4, on tiny weights."""

import base64
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import av
import pytest

from gen_video.engines.catalogue import ModelSpec, TaskKind
from tests.api.conftest import FILM, Door, run_door, worker_of
from tests.engines.pipelines.families import save_pipeline
from tests.engines.pipelines.studio import SPECS, reference_png
from tests.engines.pipelines.video_families import VIDEO_BUILDERS
from tests.house.project import PROJECT

pytestmark = pytest.mark.engine

WIDTH, HEIGHT, STEPS, FPS = 96, 64, 2, 8
FEW_FRAMES = 9
KINDS = [(name, kind) for name in VIDEO_BUILDERS for kind in sorted(SPECS[name].kinds)]


def frames_of(spec: ModelSpec) -> int:
    """Return how many frames this family is asked for."""
    return spec.limits.nearest_frames(FEW_FRAMES)


def entry_of(spec: ModelSpec, folder: Path) -> str:
    """Return a catalogue entry for a family's tiny weights, as an operator would write it."""
    frames = frames_of(spec)
    lines = {
        "id": json.dumps(spec.id),
        "enabled": "true",
        "title_en": json.dumps(spec.title_en),
        "title_zh": json.dumps(spec.title_zh, ensure_ascii=False),
        "kinds": json.dumps(sorted(spec.kinds)),
        "source": json.dumps(str(folder)),
        "hub": '"local"',
        "dtype": json.dumps(spec.dtype),
        "defaults": (
            f"{{ width = {WIDTH}, height = {HEIGHT}, num_inference_steps = {STEPS}, "
            f"guidance_scale = 4.0, num_frames = {frames}, fps = {FPS} }}"
        ),
        "limits": (
            f"{{ min_width = 16, min_height = 16, multiple_of = 16, max_frames = {frames}, "
            f"min_frames = {frames} }}"
        ),
        "memory_mib": "64",
        "licence": '"none"',
    }
    if spec.variant is not None:
        lines["variant"] = json.dumps(spec.variant)
    return "[[model]]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())


@contextmanager
def studio(folder: Path) -> Iterator[Door]:
    """Run the service with every family on offer."""
    entries = []
    for name, build in VIDEO_BUILDERS.items():
        save_pipeline(build, folder / name, variant=SPECS[name].variant)
        entries.append(entry_of(SPECS[name], folder / name))
    shipped = (PROJECT / "models.toml").read_text("utf-8")
    double = shipped[shipped.index('[[model]]\nid = "test-double"') :]
    (folder / "models.toml").write_text("\n".join([*entries, double]), "utf-8")
    with run_door(
        folder, models_file=folder / "models.toml", default_video_model="", engine_threads=1
    ) as door:
        plan = door.services.accounts.get_plan("free")
        door.services.accounts.save_plan(replace(plan, videos_per_day=1000))
        with worker_of(door.services):
            yield door


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with studio(tmp_path_factory.mktemp("families")) as door:
        yield door


@pytest.mark.parametrize(("name", "kind"), KINDS, ids="-".join)
def test_a_request_becomes_an_mp4(door: Door, name: str, kind: TaskKind) -> None:
    body: dict[str, object] = {"model": name, "prompt": "雪山日出 snow mountain", "seed": 3}
    if kind is TaskKind.IMAGE_TO_VIDEO:
        png = base64.b64encode(reference_png()).decode()
        body["image"] = f"data:image/png;base64,{png}"

    answer = door.client.post(FILM, json=body)

    assert answer.status_code == 200, answer.text
    film = door.client.get(answer.json()["video_url"])
    assert film.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(film.content), "r") as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == (WIDTH, HEIGHT)
    assert frames == frames_of(SPECS[name]) == answer.json()["num_frames"]
