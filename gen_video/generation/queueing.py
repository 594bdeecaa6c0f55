"""Queues: where a job waits, and when it may compete for a device.

A queue is a pool of models and a kind, such as `default.image`. Of each account only so many jobs
as its plan says compete there at once; the others wait behind them, in the order in which they
came. Every function works in the caller's transaction, with the account's row locked by it, so
that an account's places are given out one after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from gen_video.accounts.models import Plan
from gen_video.accounts.service import AccountService
from gen_video.engines.catalogue import Catalogue, ModelSpec
from gen_video.generation import fair_store, job_reads
from gen_video.generation.fair_store import Place
from gen_video.generation.models import JobInput, VideoInput
from gen_video.generation.shares import Rank, Share, difference, next_tags
from gen_video.generation.speeds import Speeds
from gen_video.generation.states import JobKind

AnyRow = Row[*tuple[Any, ...]]

PROMOTIONS = 64
"""Jobs of one account that start to compete in one transaction, at most."""


def queue_of(spec: ModelSpec, kind: JobKind) -> str:
    """Return the queue in which jobs of a model wait."""
    return f"{spec.pool}.{kind}"


def list_queues(specs: Sequence[ModelSpec], kind: JobKind) -> tuple[str, ...]:
    """Return the queues in which jobs of a kind wait for some models."""
    makes = {
        JobKind.IMAGE: [spec for spec in specs if spec.makes_pictures],
        JobKind.VIDEO: [spec for spec in specs if spec.makes_videos],
    }
    return tuple(sorted({queue_of(spec, kind) for spec in makes[kind]}))


def share_of(plan: Plan) -> Share:
    """Return what a plan gives an account of every queue."""
    return Share(weight=plan.weight, max_running=plan.max_running)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A new job's place; `start_tag` is None while it waits behind its account's others."""

    queue: str
    rank: int
    tier: str
    predicted_us: int
    start_tag: int | None


class Queueing:
    """Gives jobs their places."""

    def __init__(self, *, accounts: AccountService, catalogue: Catalogue, speeds: Speeds) -> None:
        self._accounts = accounts
        self._catalogue = catalogue
        self.speeds = speeds

    def enter(
        self,
        connection: Connection,
        *,
        account_id: str,
        plan: Plan,
        resolved: JobInput,
        rank: Rank,
    ) -> Placement:
        """Return the place of a job that is accepted now, and move its account's clock on."""
        spec = self._catalogue.get(resolved.model)
        share = share_of(plan)
        place = Place(account_id=account_id, queue=queue_of(spec, _kind_of(resolved)), rank=rank)
        predicted_us = self.speeds.predict(connection, resolved, spec)
        placement = Placement(
            queue=place.queue,
            rank=rank,
            tier=plan.tier,
            predicted_us=predicted_us,
            start_tag=None,
        )
        if not _has_room(connection, place, share):
            return placement
        start_tag = _take_tag(connection, place, share, predicted_us=predicted_us)
        return replace(placement, start_tag=start_tag)

    def leave(self, connection: Connection, row: AnyRow, *, used: timedelta | None) -> None:
        """Settle a job that has ended, and let the account's next one compete.

        Args:
            connection: The caller's transaction.
            row: The job as it was when it ended.
            used: Device time of its last attempt; None when nobody knows.
        """
        if not row.queue:  # accepted by the release before
            return
        place = Place(account_id=row.account_id, queue=row.queue, rank=row.rank)
        share = self._share_at(connection, place)
        if row.start_tag is not None:
            never_ran = row.attempt == 0 and used is None
            known = timedelta(0) if never_ran else used
            if known is not None:
                change = difference(predicted_us=row.predicted_us, used=known, weight=share.weight)
                fair_store.move_finish(connection, place, change=change)
        self.promote(connection, place, share)

    def promote(self, connection: Connection, place: Place, share: Share) -> int:
        """Let waiting jobs of an account compete while there is room; return how many."""
        for count in range(PROMOTIONS):
            waiting = fair_store.next_waiting(connection, place)
            if waiting is None or not _has_room(connection, place, share):
                return count
            start_tag = _take_tag(connection, place, share, predicted_us=waiting.predicted_us)
            fair_store.set_tag(connection, job_id=waiting.job_id, start_tag=start_tag)
        return PROMOTIONS

    def list_unplaced(self, connection: Connection, *, limit: int) -> list[str]:
        """Return queued jobs without a place that can be given one, the oldest first."""
        models = [spec.id for spec in self._catalogue.list_models()]
        return fair_store.list_unplaced(connection, models=models, limit=limit)

    def adopt(self, connection: Connection, job_id: str) -> bool:
        """Give a place to a queued job that has none; False when its model is not on offer."""
        row = self._find_locked(connection, job_id)
        spec = None if row is None else self._catalogue.find(row.model)
        if row is None or spec is None or row.queue:
            return False
        kind = JobKind(row.kind)
        place = Place(account_id=row.account_id, queue=queue_of(spec, kind), rank=Rank.INTERACTIVE)
        resolved = job_reads.parse_input(row.input_json, kind)
        predicted_us = self.speeds.predict(connection, resolved, spec)
        return self._move(connection, row, place, predicted_us=predicted_us)

    def age(self, connection: Connection, job_id: str) -> bool:
        """Let a batch job that has waited for long compete like an interactive one."""
        row = self._find_locked(connection, job_id)
        if row is None or not row.queue or row.rank != Rank.BATCH:
            return False
        place = Place(account_id=row.account_id, queue=row.queue, rank=Rank.INTERACTIVE)
        return self._move(connection, row, place, predicted_us=row.predicted_us)

    def _find_locked(self, connection: Connection, job_id: str) -> AnyRow | None:
        """Lock a job's account, then the job, and return it as it is then."""
        row = job_reads.find_row(connection, job_id)
        if row is None:
            return None
        self._accounts.lock(connection, row.account_id)
        return fair_store.lock_job(connection, job_id)

    def _move(
        self, connection: Connection, row: AnyRow, place: Place, *, predicted_us: int
    ) -> bool:
        plan = self._accounts.get_plan_of(connection, row.account_id)
        is_moved = fair_store.move_to_place(
            connection, job_id=row.id, place=place, tier=plan.tier, predicted_us=predicted_us
        )
        if not is_moved:
            return False
        share = share_of(plan)
        if row.queue:
            self._vacate(connection, row, replace(place, rank=row.rank), share)
        self.promote(connection, place, share)
        return True

    def _vacate(self, connection: Connection, row: AnyRow, place: Place, share: Share) -> None:
        """Give back what a job took of a place that it leaves without having run there."""
        if row.start_tag is not None:
            change = difference(
                predicted_us=row.predicted_us, used=timedelta(0), weight=share.weight
            )
            fair_store.move_finish(connection, place, change=change)
        self.promote(connection, place, share)

    def promote_alone(self, connection: Connection, place: Place) -> int:
        """Do what `promote` does in a transaction that does nothing else."""
        self._accounts.lock(connection, place.account_id)
        return self.promote(connection, place, self._share_at(connection, place))

    def has_room(self, connection: Connection, place: Place) -> bool:
        """Tell, without locking, whether one more job of an account may compete."""
        return _has_room(connection, place, self._share_at(connection, place))

    def _share_at(self, connection: Connection, place: Place) -> Share:
        return share_of(self._accounts.get_plan_of(connection, place.account_id))

    @staticmethod
    def is_stuck(
        connection: Connection, place: Place, share: Share, *, now: datetime, grace: timedelta
    ) -> bool:
        """Tell whether a waiting job should have been let compete already."""
        waiting_since = fair_store.oldest_waiting(connection, place)
        if waiting_since is None or now - waiting_since < grace:
            return False
        return _has_room(connection, place, share)


def _has_room(connection: Connection, place: Place, share: Share) -> bool:
    if share.max_running == 0:
        return True
    competing = fair_store.count_competing(connection, place, limit=share.max_running)
    return share.has_room(competing)


def _take_tag(connection: Connection, place: Place, share: Share, *, predicted_us: int) -> int:
    clocks = fair_store.read_clocks(connection, place)
    tags = next_tags(
        virtual_time=clocks.virtual_time,
        last_finish=clocks.last_finish,
        last_start=clocks.last_start,
        predicted_us=predicted_us,
        weight=share.weight,
    )
    fair_store.write_finish(connection, place, finish_tag=tags.finish)
    return tags.start


def _kind_of(resolved: JobInput) -> JobKind:
    return JobKind.VIDEO if isinstance(resolved, VideoInput) else JobKind.IMAGE
