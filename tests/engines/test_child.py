"""The child's own rules: what it makes of frames, and of exceptions."""

import json
from dataclasses import asdict, replace

import pytest

from gen_video.engines.child import (
    MAX_REASON,
    as_engine_error,
    parse_image_task,
    parse_video_task,
)
from gen_video.engines.errors import (
    EngineCancelledError,
    EngineDeviceError,
    EngineFailedError,
    EngineOutOfMemoryError,
    ModelUnavailableError,
)
from gen_video.engines.frames import Frame
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
    fields = asdict(task)
    payload = fields.pop("reference_image") or b""
    return Frame(json.loads(json.dumps({"type": "generate", "task": fields})), payload)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loras": (LoraChoice(name="ink", scale=0.5), LoraChoice(name="night"))},
        {"reference_image": b"\x89PNG", "strength": 0.25},
        {"attempt": 2, "negative_prompt": "雾"},
    ],
)
def test_a_task_survives_its_trip(changes: dict[str, object]) -> None:
    task = ImageTask(**{**_fields(TASK), **changes})  # type: ignore[arg-type]  # a table of any field

    assert parse_image_task(sent(task)) == task


@pytest.mark.parametrize("reference", [None, b"\x89PNG"])
def test_a_clip_survives_its_trip(reference: bytes | None) -> None:
    task = replace(CLIP, reference_image=reference)

    assert parse_video_task(sent(task)) == task


def test_a_task_with_a_field_too_many_is_refused() -> None:
    frame = sent(TASK)
    frame.header["task"]["colour"] = "red"

    with pytest.raises(TypeError, match="colour"):
        parse_image_task(frame)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA Out Of Memory"),
    ],
)
def test_a_lack_of_memory_is_recognised(error: Exception) -> None:
    assert isinstance(as_engine_error(error), EngineOutOfMemoryError)


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: an illegal memory access was encountered",
        "CUDA error: device-side assert triggered",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "CUBLAS_STATUS_EXECUTION_FAILED when calling cublasGemmEx",
    ],
)
def test_a_broken_device_costs_the_child_its_life(words: str) -> None:
    error = as_engine_error(RuntimeError(words))

    assert isinstance(error, EngineDeviceError)
    assert error.is_crash
    assert error.is_retryable


def test_other_exceptions_are_failures_with_their_words() -> None:
    error = as_engine_error(KeyError("unet"))

    assert isinstance(error, EngineFailedError)
    assert error.facts == {"reason": "KeyError: 'unet'"}


def test_endless_words_are_cut() -> None:
    error = as_engine_error(ValueError("x" * 10_000))

    assert len(str(error.facts["reason"])) == MAX_REASON


@pytest.mark.parametrize(
    "error", [EngineCancelledError(), ModelUnavailableError("mini", "gone"), EngineFailedError("x")]
)
def test_our_own_errors_stay_what_they_are(error: Exception) -> None:
    assert as_engine_error(error) is error


def _fields(task: ImageTask) -> dict[str, object]:
    return {name: getattr(task, name) for name in asdict(task)}


def test_folders_of_this_machine_are_left_out_of_the_words() -> None:
    error = as_engine_error(OSError("cannot open '/srv/models/mini/unet/a.safetensors' (see //x)"))

    assert error.facts == {"reason": "OSError: cannot open 'a.safetensors' (see //x)"}
