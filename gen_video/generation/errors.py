"""Errors of the generation slice."""

from gen_video.errors import NotFoundError, ServiceError


class JobNotFoundError(NotFoundError):
    """No such job for this caller."""

    code = "job_not_found"
    message_en = "There is no such job. Check the id."
    message_zh = "任务不存在，请检查任务 id。"


class FileNotFoundInServiceError(NotFoundError):
    """No such file."""

    code = "file_not_found"
    message_en = "There is no such file. Check the address in the job's outputs."
    message_zh = "文件不存在，请检查任务结果中的地址。"


class FileGoneError(ServiceError):
    """The file existed; its time ran out or its owner deleted it."""

    code = "file_gone"
    status = 410
    message_en = "This file has been deleted or its retention time is over."
    message_zh = "该文件已被删除，或已超过保留期限。"


class JobFinishedError(ServiceError):
    """The job is terminal: it cannot be canceled any more."""

    code = "job_finished"
    status = 409
    message_en = "The job has already ended ({state}); it cannot be canceled."
    message_zh = "任务已结束（{state}），无法取消。"


class JobUnfinishedError(ServiceError):
    """The job is still queued or running: it cannot be deleted yet."""

    code = "job_unfinished"
    status = 409
    message_en = "The job is still {state}. Cancel it first, then delete it."
    message_zh = "任务仍在进行（{state}）。请先取消，再删除。"


class IdempotencyKeyReusedError(ServiceError):
    """The same Idempotency-Key came with another request."""

    code = "idempotency_key_reused"
    status = 422
    message_en = (
        "This Idempotency-Key was already used with a different request. Use a new key for it."
    )
    message_zh = "该 Idempotency-Key 已用于另一个不同的请求，请换用新的键。"


class QueueFullError(ServiceError):
    """More jobs wait than the operator allows."""

    code = "queue_full"
    status = 503
    is_retryable = True
    message_en = "The queue is full. Please retry in {retry_after} s."
    message_zh = "队列已满，请在 {retry_after} 秒后重试。"

    def __init__(self, retry_after_seconds: int = 30) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds, retry_after=retry_after_seconds)


class LeaseLostError(ServiceError):
    """Another attempt owns the job now: this one's result must be thrown away."""

    code = "lease_lost"
    status = 409
    message_en = "The lease on job {job_id} was lost."
    message_zh = "任务 {job_id} 的租约已失效。"


class JobCanceledError(LeaseLostError):
    """The owner canceled the job just before its result was ready: it is thrown away."""

    code = "canceled"
    message_en = "The job {job_id} was canceled."
    message_zh = "任务 {job_id} 已取消。"


class PoisonError(ServiceError):
    """The job killed its engine again and again."""

    code = "poison"
    status = 500
    message_en = "The job ended the engine {crashes} times and was given up: {reason}"
    message_zh = "该任务导致生成引擎崩溃 {crashes} 次，已放弃：{reason}"
