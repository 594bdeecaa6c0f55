"""Use cases of quotas: hold, settle, read. Days are business days; no job resets anything.

A new date is a new row, so nothing can be missed or doubled at midnight, and a clock that goes
back never creates quota.
"""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from gen_video.accounts.models import Caller
from gen_video.accounts.service import AccountService
from gen_video.clock import local_date, next_midnight
from gen_video.db.database import Database
from gen_video.quotas import store
from gen_video.quotas.models import Hold, KindQuota, QuotaExceededError, QuotaView

NOON = time(12)


class QuotaService:
    """Daily units per account and, where a key has limits of its own, per key."""

    def __init__(self, database: Database, accounts: AccountService, *, timezone: ZoneInfo) -> None:
        self._database = database
        self._accounts = accounts
        self._timezone = timezone

    def read(self, caller: Caller) -> QuotaView:
        """Return the caller's quota as it stands now."""
        return self._database.read(lambda connection: self.view(connection, caller))

    def view(self, connection: Connection, caller: Caller) -> QuotaView:
        """Return the caller's quota as this transaction sees it."""
        now = self._database.now(connection)
        today = local_date(now, self._timezone).isoformat()
        window = self._accounts.current_window(
            connection, account_id=caller.account_id, window_date=today
        )
        owners = [caller.account_id, caller.key_id]
        found = store.read_windows(connection, owner_ids=owners, window_date=window)
        return QuotaView(
            images=_tighter(found, caller, "image"),
            videos=_tighter(found, caller, "video"),
            window_date=window,
            resets_at=self._end_of(window),
            timezone=self._timezone.key,
        )

    def place_hold(self, connection: Connection, caller: Caller, *, kind: str, units: int) -> Hold:
        """Set units aside for a job, in the caller's transaction.

        Raises:
            QuotaExceededError: They do not fit into the day; the transaction must roll back.
            ValueError: Not even one unit is asked for.
        """
        if units < 1:
            raise ValueError(f"a hold sets at least one unit aside, not {units}")
        today = local_date(self._database.now(connection), self._timezone).isoformat()
        window = self._accounts.advance_window(
            connection, account_id=caller.account_id, window_date=today
        )
        key_limit = caller.key_units_per_day(kind)
        limits = {caller.account_id: caller.plan.units_per_day(kind)}
        if key_limit is not None:
            limits[caller.key_id] = key_limit
        for owner_id, limit in limits.items():
            fits = store.reserve(
                connection,
                owner_id=owner_id,
                kind=kind,
                window_date=window,
                units=units,
                limit=limit,
            )
            if not fits:
                self._refuse(connection, caller, kind=kind, units=units)
        return Hold(
            account_id=caller.account_id,
            key_id=caller.key_id,
            kind=kind,
            units=units,
            window_date=window,
            is_key_limited=key_limit is not None,
        )

    def require_units(
        self, connection: Connection, caller: Caller, *, kind: str, units: int
    ) -> None:
        """Look, without taking any, whether units are left today; `place_hold` decides.

        Raises:
            QuotaExceededError: They are not.
        """
        view = self.view(connection, caller)
        quota = view.videos if kind == "video" else view.images
        if quota.remaining < units:
            self._refuse(connection, caller, kind=kind, units=units)

    def settle(self, connection: Connection, hold: Hold, *, captured: int) -> None:
        """End a hold in the caller's transaction; 0 captured units release it whole.

        Raises:
            ValueError: More would be captured than was held, or less than nothing.
        """
        if not 0 <= captured <= hold.units:
            raise ValueError(f"cannot capture {captured} of {hold.units} held units")
        owners = [hold.account_id, *([hold.key_id] if hold.is_key_limited else [])]
        for owner_id in owners:
            store.settle(
                connection,
                owner_id=owner_id,
                kind=hold.kind,
                window_date=hold.window_date,
                reserved=hold.units,
                captured=captured,
            )

    def remaining_of(self, connection: Connection, hold: Hold) -> dict[str, int]:
        """Return what is left of both kinds on the day of a hold, in the words of the wire."""
        caller = self._accounts.get_caller(
            connection, account_id=hold.account_id, key_id=hold.key_id
        )
        owners = [hold.account_id, hold.key_id]
        found = store.read_windows(connection, owner_ids=owners, window_date=hold.window_date)
        return {
            "images": _tighter(found, caller, "image").remaining,
            "videos": _tighter(found, caller, "video").remaining,
        }

    def list_windows(self, connection: Connection) -> dict[tuple[str, str, str], KindQuota]:
        """Return every window by (owner, kind, day), for the audit."""
        return store.list_windows(connection)

    def _end_of(self, window_date: str) -> datetime:
        # Not the end of today: after a clock went back the window is a day ahead of it.
        noon = datetime.combine(date.fromisoformat(window_date), NOON, tzinfo=self._timezone)
        return next_midnight(noon, self._timezone)

    def _refuse(self, connection: Connection, caller: Caller, *, kind: str, units: int) -> None:
        view = self.view(connection, caller)
        now = self._database.now(connection)
        raise QuotaExceededError(
            kind=kind,
            quota=view.videos if kind == "video" else view.images,
            units=units,
            resets_at=view.resets_at,
            seconds=_seconds_between(now, view.resets_at),
        )


def _tighter(found: dict[tuple[str, str], KindQuota], caller: Caller, kind: str) -> KindQuota:
    account_limit = caller.plan.units_per_day(kind)
    account = _with_limit(found.get((caller.account_id, kind)), account_limit)
    key_limit = caller.key_units_per_day(kind)
    if key_limit is None:
        return account
    key = _with_limit(found.get((caller.key_id, kind)), key_limit)
    return min(account, key, key=lambda quota: quota.remaining)


def _with_limit(quota: KindQuota | None, limit: int) -> KindQuota:
    if quota is None:
        return KindQuota(limit=limit, used=0, reserved=0)
    return KindQuota(limit=max(limit, quota.limit), used=quota.used, reserved=quota.reserved)


def _seconds_between(start: datetime, end: datetime) -> int:
    return max(1, int((end - start).total_seconds()) + 1)
