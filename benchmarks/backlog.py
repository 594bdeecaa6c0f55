"""A database with as many queued jobs as a measure wants, written in bulk.

Every tenth job is of one giant account with a limit of sixteen places; half are of accounts with
four places each, which leaves most of their jobs in the backlog; four tenths are of accounts
without a limit, whose jobs all compete. A job has its hold and its account's counters, so that it
can be claimed, finished and settled; it has no ledger lines of its own.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, insert, select, text

from benchmarks.plans import AMPLE, ample_plan
from gen_video.accounts.models import Caller
from gen_video.accounts.tables import accounts, api_keys
from gen_video.clock import local_date, utc_now
from gen_video.db.database import Database
from gen_video.db.schema import EPOCH
from gen_video.generation.models import ClaimedJob, Delivery, ImageInput
from gen_video.generation.requests import ImageRequest
from gen_video.quotas.tables import quota_windows
from gen_video.settings import Settings
from gen_video.storage.objects import object_key
from gen_video.wiring import Services, build_services

MODEL = "test-double"
QUEUE = "default.image"
QUEUE_LIMIT = 2 * AMPLE
JOBS_PER_ACCOUNT = 100
FILL_SECONDS = 900.0
PREDICTED_US = 100_000
SCATTER = 2_654_435_761
"""Odd: multiplying by it modulo 2³² gives every job a different number, in no order."""

PLANS = {"bulk": 4, "open": 0, "giant": 16}
"""Plans of the filled accounts, with their places to compete."""

FILE = b"a picture"
REQUEST = ImageRequest(prompt="nothing", width=64, height=64, num_inference_steps=1, seed=1)

_NUMBERS = {
    "postgresql": "SELECT i FROM generate_series(0, :last) AS numbers(i)",
    "sqlite": (
        "SELECT i FROM (WITH RECURSIVE numbers(i) AS"
        " (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < :last) SELECT i FROM numbers)"
    ),
}
_PADDED = {"postgresql": "lpad(({0})::text, 22, '0')", "sqlite": "printf('%022d', {0})"}

_FILL = """
INSERT INTO jobs (id, account_id, api_key_id, kind, model, state, fingerprint, input_json, units,
    price_micros, window_date, is_key_limited, rank, not_before, deadline_at, progress_stage,
    progress_step, progress_steps, quota_json, created_at, queue, tier, predicted_us, start_tag)
SELECT 'job_' || {job}, 'acc_' || {account}, 'key_' || {account}, 'image', :model, 'queued',
    :fingerprint, :input, 1, 0, :day, 0, 0, :first + i, :deadline, 'queued', 0, 1, '{{}}',
    :first + i, :queue, 'free', :predicted,
    CASE WHEN places = 0 OR turn < places THEN turn * :predicted END
FROM (
    SELECT i, 0 AS places, owner, turn FROM (SELECT i,
        :bulk + ((i / 10) * 4 + i % 10 - 6) % :open AS owner,
        ((i / 10) * 4 + i % 10 - 6) / :open AS turn FROM ({numbers}) AS a WHERE i % 10 >= 6) AS b
    UNION ALL
    SELECT i, 4, ((i / 10) * 5 + i % 10 - 1) % :bulk, ((i / 10) * 5 + i % 10 - 1) / :bulk
        FROM ({numbers}) AS c WHERE i % 10 BETWEEN 1 AND 5
    UNION ALL
    SELECT i, 16, :bulk + :open, i / 10 FROM ({numbers}) AS d WHERE i % 10 = 0
) AS placed
"""

_FINISH_TAGS = """
INSERT INTO fair_shares (account_id, queue, rank, finish_tag)
SELECT account_id, queue, rank, max(start_tag) + max(predicted_us)
FROM jobs WHERE start_tag IS NOT NULL GROUP BY account_id, queue, rank
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """A filled database with services of a process over it.

    Attributes:
        accounts: Numbers of accounts by plan.
    """

    services: Services
    jobs: int
    accounts: dict[str, range]

    def caller(self, plan: str, number: int) -> Caller:
        """Return one of the accounts of a plan."""
        among = self.accounts[plan]
        name = _name(among[number % len(among)])

        def work(connection: Connection) -> Caller:
            return self.services.accounts.get_caller(
                connection, account_id=f"acc_{name}", key_id=f"key_{name}"
            )

        return self.services.database.read(work)

    def deliver(self, job: ClaimedJob) -> Delivery:
        """Store a file of the job, as small as can be."""
        key = object_key(job.id, fence=job.fence, index=1, extension="png")
        self.services.objects.put(key, FILE)
        return Delivery(
            position=0,
            storage_key=key,
            extension="png",
            mime="image/png",
            sha256=sha256(FILE).hexdigest(),
            size_bytes=len(FILE),
            width=job.input.width,
            height=job.input.height,
            seed=1,
        )


def job_id(number: int) -> str:
    """Return the id of a filled job."""
    return f"job_{_name(number * SCATTER % 2**32)}"


@contextmanager
def filled(folder: Path, *, url: str = "", jobs: int) -> Iterator[Backlog]:
    """Fill an empty database; SQLite in the folder without a URL."""
    settings = Settings(
        _env_file=None,
        data_dir=folder / "data",
        output_dir=folder / "outputs",
        database_url=url,
        queue_limit=QUEUE_LIMIT,
        enable_test_model=True,
        default_image_model=MODEL,
        rate_limits=False,
    )
    services = build_services(settings)
    try:
        services.migrate()
        for plan, places in PLANS.items():
            services.accounts.save_plan(ample_plan(plan, tier="free", max_running=places))
        with services.database.patient(statement_seconds=FILL_SECONDS) as patient:
            yield Backlog(services=services, jobs=jobs, accounts=_fill(patient, services, jobs))
    finally:
        services.close()


def _fill(database: Database, services: Services, jobs: int) -> dict[str, range]:
    count = max(3, jobs // JOBS_PER_ACCOUNT)
    bulk = count // 2
    groups = {
        "bulk": range(bulk),
        "open": range(bulk, count - 1),
        "giant": range(count - 1, count),
    }
    now = utc_now()
    day = local_date(now, services.settings.business_timezone).isoformat()
    database.write(lambda connection: _add_accounts(connection, groups, day))
    values = {
        "last": jobs - 1,
        "model": MODEL,
        "fingerprint": sha256(b"").hexdigest(),
        "input": json.dumps(asdict(_input())),
        "day": day,
        "first": (now - timedelta(minutes=5) - EPOCH) // timedelta(microseconds=1),
        "deadline": (now + timedelta(days=1) - EPOCH) // timedelta(microseconds=1),
        "queue": QUEUE,
        "predicted": PREDICTED_US,
        "bulk": bulk,
        "open": len(groups["open"]),
    }
    if jobs:
        database.write(lambda connection: connection.execute(text(_statement(connection)), values))
    database.write(_count)
    _tidy(database)
    return groups


def _statement(connection: Connection) -> str:
    name = connection.dialect.name
    return _FILL.format(
        job=_PADDED[name].format(f"(i * {SCATTER}) % 4294967296"),
        account=_PADDED[name].format("owner"),
        numbers=_NUMBERS[name],
    )


def _add_accounts(connection: Connection, groups: dict[str, range], day: str) -> None:
    now = utc_now()
    names = [(plan, _name(number)) for plan, numbers in groups.items() for number in numbers]
    connection.execute(
        insert(accounts),
        [
            {
                "id": f"acc_{name}",
                "name": name,
                "plan_id": plan,
                "last_window": day,
                "created_at": now,
            }
            for plan, name in names
        ],
    )
    connection.execute(
        insert(api_keys),
        [
            {
                "id": f"key_{name}",
                "account_id": f"acc_{name}",
                "lookup": name,
                "secret_hash": "0" * 64,
                "hint": "0000",
                "label": "",
                "created_at": now,
            }
            for _, name in names
        ],
    )
    connection.execute(
        insert(quota_windows).from_select(
            ["owner_id", "kind", "window_date", "limit_units"],
            select(accounts.c.id, text("'image'"), text(f"'{day}'"), text(str(AMPLE))).where(
                accounts.c.plan_id.in_(groups)
            ),
        )
    )


def _count(connection: Connection) -> None:
    """Write down what the jobs hold: quota, places in flight, finish tags."""
    owned = "(SELECT account_id, count(*) AS n FROM jobs GROUP BY account_id) AS owned"
    for statement in (
        f"UPDATE quota_windows SET reserved = n FROM {owned} WHERE owner_id = account_id",  # noqa: S608 - no foreign text
        f"UPDATE accounts SET in_flight = n FROM {owned} WHERE id = account_id",  # noqa: S608 - as above
        _FINISH_TAGS,
    ):
        connection.execute(text(statement))


def _tidy(database: Database) -> None:
    """Do what the database's own housekeeping does soon after a bulk load."""
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("ANALYZE")
            connection.commit()
            return
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")


def _input() -> ImageInput:
    return ImageInput(
        prompt="nothing",
        negative_prompt="",
        width=64,
        height=64,
        num_inference_steps=1,
        guidance_scale=0.0,
        seed=1,
        n=1,
        output_format="png",
        model=MODEL,
    )


def _name(number: int) -> str:
    return f"{number:022d}"
