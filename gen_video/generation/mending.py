"""Mending of queues: jobs without a place get one, old batch jobs move up, nobody waits in vain.

Part of the sweep. Each step is one transaction over one account, so a failure costs one job a
sweep's delay.
"""

from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from gen_video.db.database import Database
from gen_video.generation import fair_store
from gen_video.generation.fair_store import Place
from gen_video.generation.queueing import Queueing

BATCH = 100


class QueueMender:
    """Walks over the queues, a part of them in every sweep.

    Args:
        batch_ageing: After this long a batch job competes like an interactive one.
    """

    def __init__(self, *, database: Database, queueing: Queueing, batch_ageing: timedelta) -> None:
        self._database = database
        self._queueing = queueing
        self._batch_ageing = batch_ageing
        self._walked_to: Place | None = None

    def mend(self) -> int:
        """Mend what is due; return how many jobs were moved."""
        return self._adopt() + self._age() + self._promote()

    def _adopt(self) -> int:
        unplaced = self._database.read(partial(self._queueing.list_unplaced, limit=BATCH))
        return sum(
            self._database.write(partial(self._queueing.adopt, job_id=job_id))
            for job_id in unplaced
        )

    def _age(self) -> int:
        def find(connection: Connection) -> list[str]:
            before = self._database.now(connection) - self._batch_ageing
            return fair_store.list_aged(connection, before=before, limit=BATCH)

        return sum(
            self._database.write(partial(self._queueing.age, job_id=job_id))
            for job_id in self._database.read(find)
        )

    def _promote(self) -> int:
        """Look whether accounts have room that they did not have: a plan may have changed."""
        count = 0
        for _ in range(BATCH):
            place = self._database.read(
                partial(fair_store.next_backlog_place, after=self._walked_to)
            )
            self._walked_to = place
            if place is None:
                break
            if self._database.read(partial(self._queueing.has_room, place=place)):
                count += self._database.write(partial(self._queueing.promote_alone, place=place))
        return count
