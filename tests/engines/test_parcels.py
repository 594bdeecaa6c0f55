"""Tasks on their way to the child and what it makes of them."""

import json
from dataclasses import replace

import pytest

from gen_video.engines.frames import Frame
from gen_video.engines.parcels import pack_task, unpack_image_task, unpack_video_task
from gen_video.engines.tasks import ImageTask, LoraChoice, Task, VideoTask

TASK = ImageTask(
    task_id="job_1",
    model="mini",
    prompt="雪山日出",
    negative_prompt="",
    width=64,
    height=48,
    num_inference_steps=4,
    guidance_scale=4.5,
    seed=2**63,
    n=3,
)


CLIP = VideoTask(
    task_id="job_2",
    model="reel",
    prompt="雪山日出",
    negative_prompt="雾",
    width=64,
    height=48,
    num_frames=81,
    fps=16,
    num_inference_steps=4,
    guidance_scale=4.5,
    seed=2**63,
    attempt=2,
)


def sent(task: Task) -> Frame:
    """Return the frame that the host would send, after its trip through JSON."""
    parcel = pack_task(task)
    header = {"type": parcel.kind, **parcel.fields}
    return Frame(json.loads(json.dumps(header)), parcel.payload)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loras": (LoraChoice(name="ink", scale=0.5), LoraChoice(name="night"))},
        {"reference_image": b"\x89PNG", "strength": 0.25},
        {"attempt": 2, "negative_prompt": "雾"},
        {"reference_image": b"\x89PNG", "mask": b"m"},
        {"reference_image": b"1", "more_references": (b"22", b"333"), "mask": b"mask"},
        {"reference_image": b"1", "more_references": (b"22",), "previews": 3},
    ],
)
def test_a_task_survives_its_trip(changes: dict[str, object]) -> None:
    task = replace(TASK, **changes)  # type: ignore[arg-type]  # a table of any field

    assert unpack_image_task(sent(task)) == task


@pytest.mark.parametrize("reference", [None, b"\x89PNG"])
def test_a_clip_survives_its_trip(reference: bytes | None) -> None:
    task = replace(CLIP, reference_image=reference, previews=2)

    assert unpack_video_task(sent(task)) == task


def test_a_task_with_a_field_too_many_is_refused() -> None:
    frame = sent(TASK)
    frame.header["task"]["colour"] = "red"

    with pytest.raises(TypeError, match="colour"):
        unpack_image_task(frame)
