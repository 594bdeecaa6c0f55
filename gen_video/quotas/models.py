"""What the quotas slice hands out."""

from dataclasses import dataclass
from datetime import datetime

from gen_video.errors import ServiceError


@dataclass(frozen=True, slots=True, kw_only=True)
class KindQuota:
    """One kind's units of one day: `limit = used + reserved + remaining`."""

    limit: int
    used: int
    reserved: int

    @property
    def remaining(self) -> int:
        """Return how many units may still be asked for."""
        return max(0, self.limit - self.used - self.reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaView:
    """Today's quota of a caller: the tighter of the account's and the key's own."""

    images: KindQuota
    videos: KindQuota
    window_date: str
    resets_at: datetime
    timezone: str

    @property
    def remaining(self) -> dict[str, int]:
        """Return what is left, in the words of the wire."""
        return {"images": self.images.remaining, "videos": self.videos.remaining}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Units set aside for one job; it ends exactly once, captured or released.

    The day is fixed when the hold is placed: a job that crosses midnight settles on its own day.
    """

    account_id: str
    key_id: str
    kind: str
    units: int
    window_date: str
    is_key_limited: bool


class QuotaExceededError(ServiceError):
    """Today's quota does not cover the request; nothing was kept."""

    code = "quota_exceeded"
    status = 429
    message_en = (
        "Daily {kind} quota used up: {remaining} of {limit} left, {units} asked for. "
        "It resets at {resets_at}. A larger plan raises it at once."
    )
    message_zh = (
        "今日{kind_zh}配额不足：上限 {limit}，剩余 {remaining}，本次需要 {units}。"
        "将于 {resets_at} 重置；升级套餐可立即提高。"
    )

    def __init__(
        self, *, kind: str, quota: KindQuota, units: int, resets_at: datetime, seconds: int
    ) -> None:
        self.kind = kind
        self.quota = quota
        self.resets_at = resets_at
        super().__init__(
            retry_after_seconds=seconds,
            kind=kind,
            kind_zh="视频" if kind == "video" else "图像",
            limit=quota.limit,
            remaining=quota.remaining,
            units=units,
            resets_at=resets_at.isoformat(timespec="seconds"),
        )
