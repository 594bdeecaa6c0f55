"""Drawing and checking models without a service, through the real engine process."""

import json
from pathlib import Path

import pytest
from PIL import Image

from gen_video.cli.wishes import VIDEO_SUFFIXES, file_name
from gen_video.engines.catalogue import read_specs
from gen_video.generation.video_requests import VideoFileFormat
from gen_video.media.pictures import read_parameters
from gen_video.media.videos import read_video_parameters
from gen_video.settings import PROJECT_FOLDER
from tests.cli.conftest import Run


def test_a_prompt_becomes_a_file_with_its_parameters(run: Run, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"

    outcome = run("generate", "雪山", "-o", str(picture), "--seed", "7", "--width", "128")

    assert outcome.code == 0
    assert outcome.out.strip() == str(picture)
    with Image.open(picture) as image:
        assert image.size == (128, 64)
    assert read_parameters(picture.read_bytes())["seed"] == "7"
    assert read_parameters(picture.read_bytes())["prompt"] == "雪山"


def test_the_same_seed_draws_the_same_picture(run: Run, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        run("generate", "sea", "-o", str(tmp_path / name), "--seed", "3")

    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_several_pictures_are_numbered(run: Run, tmp_path: Path) -> None:
    run("generate", "sea", "-o", str(tmp_path / "sea.webp"), "-n", "2")

    assert sorted(path.name for path in tmp_path.glob("sea*")) == ["sea-1.webp", "sea-2.webp"]


def test_a_reference_image_is_taken(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    reference = str(tmp_path / "red.png")

    outcome = run("generate", "sea", "-o", "x.jpg", "--image", reference, "--strength", "0.5")

    assert outcome.code == 0, outcome.err
    assert (tmp_path / "x.jpg").stat().st_size > 0


def test_a_video_model_is_added_with_its_frames(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = _copy_catalogue(tmp_path, monkeypatch)
    frames = ("--frames", "49", "--max-frames", "81", "--frames-step", "4")

    added = run("models", "add", "clips", "someone/clips", "--kinds", "text-to-video", *frames)

    assert added.code == 0, added.err
    (entry,) = [spec for spec in read_specs(catalogue) if spec.id == "clips"]
    assert entry.defaults.num_frames == 49
    assert (entry.limits.max_frames, entry.limits.frames_step) == (81, 4)
    refused = run("models", "add", "more", "someone/more", "--kinds", "text-to-video")
    assert refused.code == 1
    assert "max_frames" in refused.err


@pytest.mark.parametrize("extra", [("--fps", "8"), ("--fps", "0"), ("--crossfade",)])
def test_what_belongs_to_videos_is_refused_for_pictures(run: Run, extra: tuple[str, ...]) -> None:
    outcome = run("generate", "sea", *extra)

    assert outcome.code == 2
    assert "--video" in outcome.err


def test_a_video_is_made_of_scenes(run: Run, tmp_path: Path) -> None:
    outcome = run(
        "generate", "--video", "sea", "--scene", "hills", "--crossfade", "--fps", "8",
        "--width", "64", "--height", "64", "--model", "test-double", "-o", "x.mp4",
    )  # fmt: skip

    assert outcome.code == 0, outcome.err
    parameters = read_video_parameters((tmp_path / "x.mp4").read_bytes())
    assert parameters["scenes"] == "sea\nhills"
    assert parameters["num_frames"] == str(16 + 16 - 4)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sea", "-o", "x.bmp"),
        ("sea", "--width", "13"),
        ("sea", "--steps", "100000"),
        ("sea", "--model", "unknown"),
        ("sea", "--image", "missing.png"),
        ("sea", "--strength", "0.5"),
        ("", "-o", "x.png"),
        ("sea", "-o", "no/such/folder/x.png"),
        ("crash=exit", "-o", "x.png"),
    ],
)
def test_what_cannot_be_drawn_says_why(run: Run, arguments: tuple[str, ...]) -> None:
    outcome = run("generate", *arguments)

    assert outcome.code == 1
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert " / " in outcome.lines[-1]


def test_a_single_picture_keeps_the_name_given() -> None:
    assert file_name(Path("a.png"), position=0, count=1) == Path("a.png")
    assert file_name(Path("a.png"), position=1, count=2) == Path("a-2.png")


def test_every_video_format_but_webp_is_known_by_its_name() -> None:
    assert {f".{found.value}" for found in VideoFileFormat} - {".webp"} == VIDEO_SUFFIXES


@pytest.mark.parametrize("extra", ["--json", "--no-wait"])
def test_what_belongs_to_a_service_is_refused_here(run: Run, extra: str) -> None:
    outcome = run("generate", "sea", extra)

    assert outcome.code == 2
    assert "--remote" in outcome.err


def test_checking_a_model_draws_with_it(run: Run, tmp_path: Path) -> None:
    checked = run("models", "check", "test-double", "-o", str(tmp_path / "check.png"), "--json")

    assert checked.code == 0, checked.err
    assert json.loads(checked.out)["model"] == "test-double"
    assert (tmp_path / "check.png").exists()


def test_the_list_shows_what_is_offered(run: Run) -> None:
    rows = json.loads(run("models", "list", "--json").out)

    offered = {row["id"]: row["offered"] for row in rows}
    assert offered["test-double"]
    assert not offered["sdxl"]


def test_an_added_model_is_listed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = _copy_catalogue(tmp_path, monkeypatch)
    before = catalogue.read_text(encoding="utf-8")

    added = run("models", "add", "mine", "someone/a-model", "--title-zh", '我的"模型"')

    assert added.code == 0, added.err
    assert catalogue.read_text(encoding="utf-8").startswith(before.rstrip("\n"))
    rows = json.loads(run("models", "list", "--json").out)
    assert [row["source"] for row in rows if row["id"] == "mine"] == ["someone/a-model"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("mini", "x/y"),
        ("Bad Id", "x/y"),
        ("mine", "x/y", "--width", "7"),
        ("m", "x/y", "--hub", "?"),
    ],
)
def test_a_wrong_entry_leaves_the_catalogue_as_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    catalogue = _copy_catalogue(tmp_path, monkeypatch)
    before = catalogue.read_bytes()

    outcome = run("models", "add", *arguments)

    assert outcome.code == 1
    assert catalogue.read_bytes() == before
    assert [path.name for path in tmp_path.glob(".models-*")] == []


def _copy_catalogue(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    catalogue = folder / "models.toml"
    catalogue.write_bytes((PROJECT_FOLDER / "models.toml").read_bytes())
    monkeypatch.setenv("GEN_VIDEO_MODELS_FILE", str(catalogue))
    return catalogue
