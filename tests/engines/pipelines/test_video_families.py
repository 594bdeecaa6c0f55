"""Every video family of the catalogue makes clips, through the very code that serves requests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gen_video.engines.catalogue import ModelSpec, TaskKind
from gen_video.engines.diffusers_video import CHUNK_FRAMES
from gen_video.engines.errors import EngineCancelledError, ModelUnavailableError
from gen_video.engines.tasks import Frames
from tests.engines.pipelines.families import Pipeline, save_pipeline
from tests.engines.pipelines.studio import SPECS, local_spec, reference_png
from tests.engines.pipelines.video_families import VIDEO_BUILDERS
from tests.engines.pipelines.video_studio import HEIGHT, STEPS, WIDTH, FilmStudio

pytestmark = pytest.mark.engine

WITHOUT_WORDS = {"svd-xt"}
VIDEO_SPECS = [
    spec
    for spec in SPECS.values()
    if spec.makes_videos and not (spec.is_test_only or spec.timeline)
]
"""Those of stock video pipelines; the embedded one has tests of its own."""
KINDS = [(spec.id, kind) for spec in VIDEO_SPECS for kind in sorted(spec.kinds, reverse=True)]
FROM_IMAGES = [pair for pair in KINDS if pair[1] is TaskKind.IMAGE_TO_VIDEO]
OF_ONE_KIND = [pair for pair in KINDS if len(SPECS[pair[0]].kinds) == 1]
TIME_SCALES = (
    "vae_scale_factor_temporal",
    "vae_temporal_compression_ratio",
    "vae_temporal_scale_factor",
)
SPACE_SCALES = (
    "vae_scale_factor_spatial",
    "vae_spatial_compression_ratio",
    "vae_spatial_scale_factor",
    "vae_scale_factor",
)
"""What pipelines call it by how much their autoencoder shrinks a clip."""
FilmFolderOf = Callable[[str], Path]


@pytest.fixture(scope="module")
def film_folder_of(tmp_path_factory: pytest.TempPathFactory) -> FilmFolderOf:
    """Return a function from a catalogue id to the folder of its tiny pipeline."""
    folders: dict[str, Path] = {}

    def find(model_id: str) -> Path:
        if model_id not in folders:
            folders[model_id] = tmp_path_factory.mktemp("pipeline") / model_id
            variant = SPECS[model_id].variant
            save_pipeline(VIDEO_BUILDERS[model_id], folders[model_id], variant=variant)
        return folders[model_id]

    return find


def name_of(pair: tuple[str, TaskKind]) -> str:
    """Return a test's name."""
    return "-".join(pair)


def grid_of(pipeline: Pipeline) -> tuple[int, int]:
    """Return of how many frames and pixels a clip's length and sides are multiples."""
    frames = next((getattr(pipeline, name) for name in TIME_SCALES if hasattr(pipeline, name)), 1)
    pixels = next(getattr(pipeline, name) for name in SPACE_SCALES if hasattr(pipeline, name))
    transformer = getattr(pipeline, "transformer", None)
    patch = 1 if transformer is None else transformer.config.patch_size
    return frames, pixels * (patch if isinstance(patch, int) else patch[-1])


@pytest.fixture(scope="module", params=KINDS, ids=name_of)
def studio(request: pytest.FixtureRequest, film_folder_of: FilmFolderOf) -> FilmStudio:
    """Return each video model of the catalogue, loaded, for each of its kinds."""
    model_id, kind = request.param
    return FilmStudio(local_spec(model_id, film_folder_of(model_id)), kind)


def test_every_video_model_is_tried_here() -> None:
    assert {spec.id for spec in VIDEO_SPECS} == set(VIDEO_BUILDERS)


def test_the_frames_are_all_there_in_order_and_of_the_size_asked_for(studio: FilmStudio) -> None:
    chunks = list(studio.film())

    firsts = list(range(0, studio.task.num_frames, CHUNK_FRAMES))
    assert [chunk.first for chunk in chunks] == firsts
    assert sum(chunk.count for chunk in chunks) == studio.task.num_frames
    for chunk in chunks:
        assert (chunk.width, chunk.height) == (WIDTH, HEIGHT)
        assert len(chunk.rgb) == chunk.count * WIDTH * HEIGHT * 3
        assert len(set(chunk.rgb)) > 16, "the frames are flat"


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(studio: FilmStudio) -> None:
    first, again = studio.plain, studio.film_all()
    other = studio.film_all(seed=21)

    assert first == again
    assert first != other


def test_progress_counts_every_step_and_tells_when_decoding_begins(studio: FilmStudio) -> None:
    studio.film_all()

    counted = [(report.stage, report.step, report.steps) for report in studio.progress]
    steps = [("denoising", step, STEPS) for step in range(1, STEPS + 1)]
    assert counted == [*steps, ("decoding", STEPS, STEPS)]


def test_previews_come_with_the_steps_and_change_nothing(studio: FilmStudio) -> None:
    plain = studio.film_all(num_inference_steps=4)

    filmed = studio.film_all(num_inference_steps=4, previews=2)

    shown = [report for report in studio.progress if report.preview is not None]
    assert filmed == plain
    assert len(shown) == 2
    for report in shown:
        assert report.stage == "denoising"
        assert report.preview is not None
        assert len(set(report.preview.rgb)) > 1


def test_a_cancel_ends_the_run_within_a_step_and_the_next_is_unharmed(studio: FilmStudio) -> None:
    before = studio.plain

    with pytest.raises(EngineCancelledError):
        list(studio.film(cancel_after=1, num_inference_steps=4))

    assert len(studio.progress) == 1
    assert studio.film_all() == before


def test_a_cancel_while_decoding_ends_the_run_within_a_chunk(studio: FilmStudio) -> None:
    before = studio.plain
    frames: list[Frames] = []

    with pytest.raises(EngineCancelledError):
        frames.extend(studio.film(cancel_after=STEPS + 1))

    assert len(frames) <= 1
    assert studio.film_all() == before


def test_a_clip_that_nobody_takes_to_its_end_leaves_no_trace(studio: FilmStudio) -> None:
    before = studio.plain
    chunks = studio.film()

    next(chunks)
    chunks.close()

    assert not studio.pipeline.vae.decoder._forward_pre_hooks
    assert "step" not in vars(studio.pipeline.scheduler)
    assert studio.film_all() == before


def test_the_prompt_is_heard_where_the_family_reads_one(studio: FilmStudio) -> None:
    is_heard = studio.film_all(prompt="sea") != studio.plain

    assert is_heard == (studio.spec.id not in WITHOUT_WORDS)


def test_guidance_is_passed(studio: FilmStudio) -> None:
    assert studio.film_all(guidance_scale=9.0) != studio.plain


def test_a_negative_prompt_is_passed_where_the_family_reads_one(studio: FilmStudio) -> None:
    clips = {
        studio.plain,
        studio.film_all(negative_prompt="night, lake"),
        studio.film_all(negative_prompt=""),
    }

    assert len(clips) == (1 if studio.spec.id in WITHOUT_WORDS else 3)


@pytest.mark.parametrize("studio", FROM_IMAGES, ids=name_of, indirect=True)
def test_the_reference_image_is_seen(studio: FilmStudio) -> None:
    bright = studio.plain
    dark = studio.film_all(reference_image=reference_png(is_dark=True))

    assert dark != bright
    assert studio.film_all() == bright


@pytest.mark.parametrize("studio", OF_ONE_KIND, ids=name_of, indirect=True)
def test_another_kind_of_task_is_refused(studio: FilmStudio) -> None:
    has_image = studio.kind is TaskKind.IMAGE_TO_VIDEO
    reason = "need an image to begin with" if has_image else "begin no video with an image"

    with pytest.raises(ModelUnavailableError, match=reason):
        studio.film_all(reference_image=None if has_image else reference_png())


def test_the_catalogue_asks_for_numbers_that_the_family_makes(studio: FilmStudio) -> None:
    assert studio.plain
    limits = studio.spec.limits
    frames_at_once, pixels_at_once = grid_of(studio.pipeline)

    assert limits.frames_step % frames_at_once == 0
    assert limits.multiple_of % pixels_at_once == 0


def test_loading_and_filming_asks_no_network(studio: FilmStudio, dialled: list[object]) -> None:
    fresh = FilmStudio(studio.spec, studio.kind)

    clip = fresh.film_all()

    assert dialled == []
    assert clip == studio.plain, "a second load makes something else"


@pytest.mark.parametrize("spec", VIDEO_SPECS, ids=lambda spec: spec.id)
def test_an_entry_tells_how_long_its_clips_may_be(spec: ModelSpec) -> None:
    limits = spec.limits

    assert limits.min_frames < spec.defaults.num_frames <= limits.max_frames
    assert limits.nearest_frames(limits.max_frames) == limits.max_frames
    assert limits.nearest_frames(limits.min_frames) == limits.min_frames
    assert spec.licence_url.startswith("https://")
    assert not spec.enabled
