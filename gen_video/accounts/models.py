"""What the accounts slice hands out: plans, callers, and rows for people to read."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an account may do.

    Attributes:
        max_in_flight: Jobs that may be queued or running at once.
        max_pictures: Pictures that one request may ask for.
        max_work: Cap on width x height x steps x pictures of one request.
        max_video_work: Cap on width x height x steps x frames of one request.
        weight: Share of the devices' time that the account gets while others wait too.
        max_running: Jobs of one queue that may compete for a device at once; 0 for no limit.
        requests_per_minute: API requests; 0 for no limit.
    """

    id: str
    tier: str
    title_en: str
    title_zh: str
    images_per_day: int
    videos_per_day: int
    max_in_flight: int
    max_pictures: int
    max_work: int
    max_video_work: int
    weight: int = 1
    max_running: int = 0
    requests_per_minute: int = 0

    def units_per_day(self, kind: str) -> int:
        """Return the daily quota of one kind, `image` or `video`."""
        return self.videos_per_day if kind == "video" else self.images_per_day

    def changes_from(self, old: "Plan | None") -> dict[str, str]:
        """Return what is other than in an older version, as `old → new`; all of a new plan."""
        return {
            field.name: str(value) if old is None else f"{getattr(old, field.name)} → {value}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != getattr(old, field.name, None)
        }


DEFAULT_PLANS = (
    Plan(
        id="free",
        tier="free",
        title_en="Free",
        title_zh="免费版",
        images_per_day=10,
        videos_per_day=2,
        max_in_flight=10,
        max_pictures=4,
        max_work=2048 * 2048 * 100,
        max_video_work=2048 * 2048 * 100 * 16,
        weight=1,
        max_running=4,
        requests_per_minute=120,
    ),
    Plan(
        id="paid",
        tier="paid",
        title_en="Paid",
        title_zh="付费版",
        images_per_day=100,
        videos_per_day=20,
        max_in_flight=100,
        max_pictures=10,
        max_work=2048 * 2048 * 100 * 10,
        max_video_work=2048 * 2048 * 100 * 16 * 10,
        weight=4,
        max_running=16,
        requests_per_minute=1200,
    ),
)
"""The plans that a new database starts with; later they are rows that the operator edits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is calling: an account through one of its keys.

    `key_images_per_day` and `key_videos_per_day` are the key's own limits, None for none.
    """

    account_id: str
    account_name: str
    key_id: str
    plan: Plan
    key_images_per_day: int | None = None
    key_videos_per_day: int | None = None

    def key_units_per_day(self, kind: str) -> int | None:
        """Return the key's own daily limit of one kind, None for none."""
        return self.key_videos_per_day if kind == "video" else self.key_images_per_day


class Role(StrEnum):
    """What an account may do beside its own things: admins run the service."""

    MEMBER = "member"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account as an operator sees it."""

    id: str
    name: str
    plan_id: str
    in_flight: int
    is_disabled: bool
    created_at: datetime
    email: str | None
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """An API key as its owner and the operator see it; the key itself is not known any more."""

    id: str
    account_id: str
    account_name: str
    lookup: str
    hint: str
    label: str
    images_per_day: int | None
    videos_per_day: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A new key: `plaintext` is shown once, and never in a log or a traceback."""

    plaintext: str = field(repr=False)
    row: KeyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A browser that somebody signed in with.

    Attributes:
        id: Names the session to its owner; whoever knows it cannot sign in with it.
        user_agent: What the browser called itself.
        expires_at: Its end, however often it is used.
    """

    id: str
    account_id: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who a session stands for.

    Attributes:
        caller: The account, through the console's own key: its limits are the plan's alone.
        has_password: Whether the account can sign in with a password.
    """

    caller: Caller
    session: SessionRow
    role: Role
    email: str | None
    has_password: bool
