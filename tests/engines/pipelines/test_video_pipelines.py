"""What video pipelines need beyond their call: twins, early chunks, tiles, odd folders."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from gen_video.engines import diffusers_video
from gen_video.engines.catalogue import TaskKind
from gen_video.engines.diffusers_models import choose_dtypes
from gen_video.engines.diffusers_video import CHUNK_FRAMES
from gen_video.engines.errors import EngineCancelledError, EngineFailedError, ModelUnavailableError
from gen_video.engines.tasks import Frames
from tests.engines.pipelines.families import Builder, Pipeline, save_pipeline, stable_diffusion
from tests.engines.pipelines.studio import local_spec, reference_png
from tests.engines.pipelines.video_families import (
    VIDEO_BUILDERS,
    ltx_that_takes_conditions,
    ltx_with_denoising_decoder,
    motion_adapter,
)
from tests.engines.pipelines.video_studio import HEIGHT, STEPS, WIDTH, FilmStudio

pytestmark = pytest.mark.engine

FilmStudioOf = Callable[..., FilmStudio]
TEXT, IMAGE = TaskKind.TEXT_TO_VIDEO, TaskKind.IMAGE_TO_VIDEO
OF_BOTH_KINDS = ("wan-2.2-ti2v-5b", "ltx-video", "ltx-2")
FRAME_BY_FRAME = ("svd-xt", "animatediff")


@pytest.fixture
def film_studio_of(tmp_path: Path) -> FilmStudioOf:
    """Return a function that builds and loads a model, by default the one of its id."""

    def build(
        model_id: str, kind: TaskKind = TEXT, *, builder: Builder | None = None
    ) -> FilmStudio:
        spec = local_spec(model_id, tmp_path / model_id)
        save_pipeline(
            builder or VIDEO_BUILDERS[model_id], tmp_path / model_id, variant=spec.variant
        )
        return FilmStudio(spec, kind)

    return build


@pytest.mark.parametrize("model_id", OF_BOTH_KINDS)
def test_one_set_of_weights_serves_both_kinds(film_studio_of: FilmStudioOf, model_id: str) -> None:
    studio = film_studio_of(model_id)
    from_text = studio.plain

    from_image = studio.film_all(reference_image=reference_png())

    pipelines = studio.make._shelf.get(studio.spec).pipelines
    assert set(pipelines) == {TEXT, IMAGE}
    assert pipelines[TEXT].transformer is pipelines[IMAGE].transformer
    assert from_image != from_text
    assert studio.film_all() == from_text


def test_a_twin_keeps_the_precision_of_what_it_shares(film_studio_of: FilmStudioOf) -> None:
    """Deriving by `from_pipe` would cast the parts to float32, also for text-to-video."""
    studio = film_studio_of("ltx-video")

    studio.film_all(reference_image=reference_png())

    assert studio.spec.dtype == "bfloat16"
    assert studio.make._shelf.get(studio.spec).pipelines[TEXT].dtype is torch.bfloat16


def test_a_twin_is_offloaded_as_its_base_is(film_studio_of: FilmStudioOf) -> None:
    studio = film_studio_of("ltx-video")
    before = studio.film_all(reference_image=reference_png())
    resident = studio.make._shelf.get(studio.spec)
    del resident.pipelines[IMAGE]
    resident.pipelines[TEXT].enable_model_cpu_offload(device="cpu")

    after = studio.film_all(reference_image=reference_png())

    assert len(resident.pipelines[IMAGE]._all_hooks) == 3
    assert after == before


def test_a_model_of_images_alone_derives_its_twin_too(film_studio_of: FilmStudioOf) -> None:
    def builder(folder: Path) -> Pipeline:
        parts = VIDEO_BUILDERS["ltx-video"](folder).components
        return diffusers.LTXImageToVideoPipeline(**parts)

    studio = film_studio_of("ltx-video", builder=builder)

    assert studio.plain != studio.film_all(reference_image=reference_png())


@pytest.mark.parametrize("builder", [ltx_with_denoising_decoder, ltx_that_takes_conditions])
def test_later_ltx_videos_make_both_kinds(film_studio_of: FilmStudioOf, builder: Builder) -> None:
    studio = film_studio_of("ltx-video", builder=builder)

    clips = {studio.film_all(), studio.film_all(reference_image=reference_png())}

    assert {len(clip) for clip in clips} == {studio.task.num_frames * WIDTH * HEIGHT * 3}
    assert len(clips) == 2


@pytest.mark.parametrize("model_id", FRAME_BY_FRAME)
def test_the_first_frames_leave_before_the_others_are_decoded(
    film_studio_of: FilmStudioOf, model_id: str
) -> None:
    kind = IMAGE if model_id == "svd-xt" else TEXT
    studio = film_studio_of(model_id, kind)
    assert studio.plain
    decoded: list[int] = []
    studio.pipeline.vae.decoder.register_forward_pre_hook(
        lambda _module, values: decoded.append(len(values[0]))
    )

    chunks: Iterator[Frames] = studio.film()
    first = next(chunks)

    assert (first.count, sum(decoded)) == (CHUNK_FRAMES, CHUNK_FRAMES)
    assert [chunk.count for chunk in chunks] == [studio.task.num_frames - CHUNK_FRAMES]
    assert sum(decoded) == studio.task.num_frames


@pytest.mark.parametrize("model_id", ["wan-2.1-t2v-1.3b", "mochi-1"])
def test_a_large_clip_is_decoded_in_tiles(
    film_studio_of: FilmStudioOf, model_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = film_studio_of(model_id)
    assert studio.plain
    was_tiled = studio.pipeline.vae.use_tiling
    monkeypatch.setattr(diffusers_video, "TILED_ABOVE_PIXELS", 1)

    clip = studio.film_all()

    assert (was_tiled, studio.pipeline.vae.use_tiling) == (False, True)
    assert len(clip) == len(studio.plain)
    monkeypatch.undo()
    assert studio.film_all() == studio.plain


def test_a_cancel_is_seen_between_the_pieces_that_a_decoder_makes(
    film_studio_of: FilmStudioOf,
) -> None:
    studio = film_studio_of("wan-2.1-t2v-1.3b")
    assert studio.plain
    pieces: list[object] = []
    studio.pipeline.vae.decoder.register_forward_hook(lambda *_: pieces.append(None))

    studio.film_all()
    in_all = len(pieces)
    with pytest.raises(EngineCancelledError):
        studio.film_all(cancel_after=STEPS + 1)

    assert (in_all, len(pieces) - in_all) == (3, 1)


def test_a_family_that_makes_another_number_of_frames_fails(film_studio_of: FilmStudioOf) -> None:
    studio = film_studio_of("wan-2.1-t2v-1.3b")

    with pytest.raises(EngineFailedError, match="it made 9 frames, not 11"):
        studio.film_all(num_frames=11)


@pytest.mark.parametrize(
    ("model_id", "weight"),
    [("wan-2.1-t2v-1.3b", "proj_out.bias"), ("hunyuanvideo-1.5-t2v", "proj_out.bias")],
)
def test_a_clip_of_no_numbers_is_an_error(
    film_studio_of: FilmStudioOf, model_id: str, weight: str
) -> None:
    studio = film_studio_of(model_id)
    spoil(Path(studio.spec.source) / "transformer", weight)

    with pytest.raises(EngineFailedError, match="NaN"):
        studio.film_all()

    assert {report.stage for report in studio.progress} <= {"denoising"}


def test_a_decoder_of_no_numbers_is_an_error(film_studio_of: FilmStudioOf) -> None:
    studio = film_studio_of("animatediff")
    spoil(Path(studio.spec.source) / "vae", "decoder.conv_out.bias")

    with pytest.raises(EngineFailedError, match="NaN"):
        studio.film_all()


def spoil(folder: Path, weight: str) -> None:
    """Make one weight undefined."""
    (path,) = folder.glob("*.safetensors")
    weights = load_file(path)
    weights[weight] = torch.full_like(weights[weight], float("nan"))
    save_file(weights, path, metadata={"format": "pt"})


def test_animatediff_loads_from_a_folder_put_together_by_hand(tmp_path: Path) -> None:
    """A Stable Diffusion 1.5 with a motion adapter beside it and two lines of the index changed."""
    folder = tmp_path / "model"
    save_pipeline(stable_diffusion, folder)
    motion_adapter().save_pretrained(folder / "motion_adapter")
    shutil.rmtree(folder / "feature_extractor")
    index = json.loads((folder / "model_index.json").read_text())
    for name in ("safety_checker", "feature_extractor", "requires_safety_checker"):
        index.pop(name, None)
    index["_class_name"] = "AnimateDiffPipeline"
    index["motion_adapter"] = ["diffusers", "MotionAdapter"]
    (folder / "model_index.json").write_text(json.dumps(index))

    studio = FilmStudio(local_spec("animatediff", folder), TEXT)

    assert len(studio.film_all()) == studio.task.num_frames * WIDTH * HEIGHT * 3


def test_a_folder_of_a_picture_model_makes_no_videos(film_studio_of: FilmStudioOf) -> None:
    studio = film_studio_of("animatediff", builder=stable_diffusion)

    with pytest.raises(ModelUnavailableError, match="StableDiffusionPipeline makes no videos"):
        studio.film_all()


def test_a_clip_has_the_size_asked_for_though_the_family_chose_another(
    film_studio_of: FilmStudioOf,
) -> None:
    studio = film_studio_of("hunyuanvideo-1.5-i2v", IMAGE)

    (first, *_others) = studio.film(width=112, height=48)

    assert (first.width, first.height) == (112, 48)
    assert len(first.rgb) == first.count * 112 * 48 * 3


@pytest.mark.parametrize("model_id", ["svd-xt", "ltx-video", "ltx-2"])
def test_a_family_that_wants_to_know_how_fast_frames_follow_is_told(
    film_studio_of: FilmStudioOf, model_id: str
) -> None:
    studio = film_studio_of(model_id, IMAGE if model_id == "svd-xt" else TEXT)

    assert studio.film_all(fps=24) != studio.plain


def test_ltx_2_without_guidance_runs_its_network_once_a_step(film_studio_of: FilmStudioOf) -> None:
    studio = film_studio_of("ltx-2")
    assert studio.plain
    calls: list[object] = []
    studio.pipeline.transformer.register_forward_pre_hook(lambda *_: calls.append(None))

    studio.film_all()
    guided = len(calls)
    studio.film_all(guidance_scale=1.0)

    assert (guided, len(calls) - guided) == (3 * 2, 2)


def test_ltx_2_is_modulated_as_it_was_trained(film_studio_of: FilmStudioOf) -> None:
    """The pipeline's own defaults are those of its successors."""
    studio = film_studio_of("ltx-2")
    assert studio.plain
    calls: list[dict[str, object]] = []
    studio.pipeline.transformer.register_forward_pre_hook(
        lambda _module, _values, options: calls.append(options), with_kwargs=True
    )

    studio.film_all()

    blocks = [call["spatio_temporal_guidance_blocks"] for call in calls]
    assert not any(call["use_cross_timestep"] for call in calls)
    assert [29] in blocks
    assert [28] not in blocks


def test_a_decoder_that_denoises_is_told_how_much(
    film_studio_of: FilmStudioOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = film_studio_of("ltx-video", builder=ltx_with_denoising_decoder)
    assert studio.plain

    monkeypatch.setattr(diffusers_video, "DECODE_NOISE_SCALE", 0.5)

    assert studio.film_all() != studio.plain


def test_a_cancelled_run_frees_the_device_where_models_are_offloaded(
    film_studio_of: FilmStudioOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = film_studio_of("ltx-video")
    assert studio.plain
    freed: list[None] = []
    monkeypatch.setattr(studio.pipeline, "maybe_free_model_hooks", lambda: freed.append(None))

    with pytest.raises(EngineCancelledError):
        studio.film_all(cancel_after=1)

    assert freed == [None]


def test_frames_are_rounded_and_cut_to_the_shape_asked_for(film_studio_of: FilmStudioOf) -> None:
    task = replace(film_studio_of("ltx-video").task, width=4, height=4)
    pixels = torch.full((2, 3, 4, 8), 0.999)
    pixels[..., :2] = pixels[..., 6:] = 0.0  # what a square cut from the middle leaves out

    frames = diffusers_video._as_frames(pixels, task, first=8)

    assert (frames.first, frames.count) == (8, 2)
    assert frames.rgb == b"\xff" * (2 * 4 * 4 * 3)


def test_the_autoencoder_of_wan_is_precise() -> None:
    half = torch.bfloat16

    assert choose_dtypes("WanPipeline", half) == {"default": half, "vae": torch.float32}
    assert choose_dtypes("LTXPipeline", half) == {"default": half}
