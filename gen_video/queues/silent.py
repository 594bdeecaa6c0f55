"""No broker: the default. Workers watch the database and need no wake-ups."""

from typing_extensions import override

from gen_video.queues.wakeups import WakeUps


class NoBroker(WakeUps):
    """Sends nothing."""

    @override
    def send(self, queue: str, job_id: str) -> None:
        return

    @override
    def close(self) -> None:
        return
