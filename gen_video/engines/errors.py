"""What can go wrong in an engine, told apart by what the service must do about it.

EngineError
├── EngineCancelledError       the caller asked for it
├── EngineOutOfMemoryError     retryable; the child was replaced
├── EngineDeviceError          retryable; the device is poisoned, the child was replaced
├── EngineCrashedError         retryable; the child died (segfault, kill, exit)
├── EngineHungError            retryable; the child was killed after silence
├── EngineFailedError          retryable; an exception inside the pipeline
├── EngineInterruptedError     retryable; another task cost the child its life
├── MaskLostError              final; at this size nothing is left of the mask
└── ModelUnavailableError      final; weights missing or refused
"""

from gen_video.errors import ServiceError


class EngineError(ServiceError):
    """A generation ended without a result.

    `is_crash` says that the input may have killed its child: such failures count towards the
    poison limit.
    """

    code = "generation_failed"
    status = 500
    is_crash = False


class EngineCancelledError(EngineError):
    """The task was cancelled; the device is free."""

    code = "canceled"
    status = 409
    message_en = "The job was canceled."
    message_zh = "任务已取消。"


class EngineOutOfMemoryError(EngineError):
    """The device could not hold the work."""

    code = "out_of_memory"
    is_retryable = True
    is_crash = True
    message_en = "The device ran out of memory. Try a smaller size or fewer pictures."
    message_zh = "设备内存不足，请尝试更小的尺寸或更少的图片。"


class EngineDeviceError(EngineError):
    """The device or its driver failed: nothing that this process computes can be trusted."""

    code = "device_failed"
    is_retryable = True
    is_crash = True
    message_en = "The device failed ({reason}); the engine was restarted."
    message_zh = "计算设备出错（{reason}），生成引擎已重启。"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class EngineCrashedError(EngineError):
    """The engine process died while it worked on the task."""

    code = "engine_crashed"
    is_retryable = True
    is_crash = True
    message_en = "The engine process ended unexpectedly ({reason})."
    message_zh = "生成引擎进程意外退出（{reason}）。"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class EngineHungError(EngineError):
    """The engine process gave no sign of life for too long and was killed."""

    code = "engine_hung"
    is_retryable = True
    is_crash = True
    message_en = "The engine gave no sign of life for {seconds} s and was restarted."
    message_zh = "生成引擎 {seconds} 秒没有响应，已被重启。"

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds=round(seconds))


class EngineFailedError(EngineError):
    """The pipeline raised an exception."""

    code = "generation_failed"
    is_retryable = True
    message_en = "The model failed to generate: {reason}"
    message_zh = "模型生成失败：{reason}"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


class EngineInterruptedError(EngineError):
    """Another task ended the engine process; this one is not to blame and costs no attempt."""

    code = "engine_interrupted"
    is_retryable = True
    message_en = "The engine was restarted because of another job."
    message_zh = "生成引擎因其他任务而重启。"


class MaskLostError(EngineError):
    """What the mask marks was cut off, or is smaller than a pixel."""

    code = "mask_lost"
    status = 422
    message_en = (
        "At this width and height nothing is left of what the mask marks: the picture is cut to"
        " their shape. Ask for the picture's own shape, or mark more."
    )
    message_zh = (
        "按此宽高裁剪后，mask 标出的区域已不存在；请使用与原图相同的宽高比，或扩大标记区域。"
    )


class ModelUnavailableError(EngineError):
    """The weights are missing, incomplete, or of a kind that is refused."""

    code = "model_unavailable"
    status = 503
    message_en = "Model {model} cannot be loaded: {reason}"
    message_zh = "模型 {model} 无法加载：{reason}"

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(model=model, reason=reason)
