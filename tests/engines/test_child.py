"""The child's own rules: what it makes of exceptions."""

import pytest

from gen_video.engines.child import MAX_REASON, as_engine_error
from gen_video.engines.errors import (
    EngineCancelledError,
    EngineDeviceError,
    EngineFailedError,
    EngineOutOfMemoryError,
    ModelUnavailableError,
)


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


def test_folders_of_this_machine_are_left_out_of_the_words() -> None:
    error = as_engine_error(OSError("cannot open '/srv/models/mini/unet/a.safetensors' (see //x)"))

    assert error.facts == {"reason": "OSError: cannot open 'a.safetensors' (see //x)"}
