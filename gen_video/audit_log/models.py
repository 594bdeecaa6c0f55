"""What the audit log writes and hands out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gen_video.errors import NotFoundError

Fact = str | int | bool | None


class Action(StrEnum):
    """What somebody did."""

    USER_CREATED = "user.created"
    USER_PLAN_CHANGED = "user.plan_changed"
    USER_DISABLED = "user.disabled"
    USER_ENABLED = "user.enabled"
    USER_EMAIL_CHANGED = "user.email_changed"
    USER_ROLE_CHANGED = "user.role_changed"
    USER_PASSWORD_SET = "user.password_set"  # noqa: S105 - a word for what happened
    PLAN_SAVED = "plan.saved"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    WORKER_DRAIN = "worker.drain"
    WORKER_RESUME = "worker.resume"
    MODEL_LOAD = "model.load"
    MODEL_UNLOAD = "model.unload"
    MODEL_CHECK = "model.check"


class ActorKind(StrEnum):
    """Through which door somebody acts."""

    CONSOLE = "console"
    COMMAND_LINE = "command_line"
    PROGRAM = "program"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something; `account_id` for people who are signed in."""

    kind: ActorKind
    name: str
    account_id: str | None = None


PROGRAM = Actor(kind=ActorKind.PROGRAM, name="gen_video")
"""The service itself, such as when it adds the plans of a new database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the audit log.

    Attributes:
        subject: What it was done to: a user's name, a plan, a key's id, a worker, a model.
        facts: What changed; never a secret.
    """

    id: str
    at: datetime
    actor: Actor
    action: Action
    subject: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """One page of the audit log, newest first."""

    entries: tuple[Entry, ...]
    has_more: bool


class EntryNotFoundError(NotFoundError):
    """A cursor names no line of the audit log."""

    code = "audit_entry_not_found"
    message_en = "There is no such line in the audit log. Begin with the first page."
    message_zh = "操作日志中没有这一行，请从第一页重新开始。"
