"""A studio: every service of generation over one database whose clock a test can move."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, func, select, text

from gen_video.accounts.models import Caller, Plan
from gen_video.accounts.service import AccountService
from gen_video.billing.service import LedgerService
from gen_video.db.schema import metadata
from gen_video.engines.catalogue import (
    Catalogue,
    ModelDefaults,
    ModelLimits,
    ModelSpec,
    TaskKind,
)
from gen_video.generation.audit import AuditService
from gen_video.generation.endings import Endings
from gen_video.generation.execution import ExecutionService, WorkerProfile
from gen_video.generation.mending import QueueMender
from gen_video.generation.models import ClaimedJob, Delivery, Job
from gen_video.generation.queueing import Queueing
from gen_video.generation.requests import ImageRequest
from gen_video.generation.service import JobService
from gen_video.generation.speeds import Speeds
from gen_video.generation.submission import Request, RetryHints, Submitter
from gen_video.generation.sweeper import Sweeper, SweepReport
from gen_video.generation.tables import job_attempts, jobs
from gen_video.quotas.models import KindQuota
from gen_video.quotas.service import QuotaService
from gen_video.storage.objects import ObjectStore, object_key
from gen_video.webhooks.event_log import EventLog
from gen_video.webhooks.urls import UrlRules
from tests.generation.fakes import FlakyDatabase

AnyRow = Row[*tuple[Any, ...]]

LEASE = timedelta(seconds=60)
DEADLINE = timedelta(hours=24)
RETENTION = timedelta(days=30)
SWEEP_GRACE = timedelta(seconds=10)
PATIENCE = timedelta(seconds=30)
BATCH_AGEING = timedelta(minutes=10)
WEBHOOK_RULES = UrlRules()
DAY = "2026-03-10"
QUEUES = ("default.image", "default.video")

NOTHING_MENDED = SweepReport(
    requeued=0,
    given_up=0,
    canceled=0,
    expired_jobs=0,
    expired_files=0,
    published=0,
    orphans=0,
    moved=0,
)

LAKE = ImageRequest(prompt="a lake", seed=7)
ADAPTERS = frozenset({"mia", "ink"})

SKETCH = ModelSpec(
    id="sketch",
    title_en="Sketch",
    title_zh="素描",
    source="none",
    engine="test-double",
    defaults=ModelDefaults(
        width=64,
        height=48,
        num_inference_steps=4,
        guidance_scale=5.0,
        negative_prompt="blur",
        strength=0.5,
    ),
    limits=ModelLimits(
        min_width=32,
        max_width=128,
        min_height=16,
        max_height=96,
        multiple_of=8,
        max_pixels=96 * 64,
        min_steps=2,
        max_steps=20,
        max_n=6,
        max_guidance_scale=10.0,
        max_prompt_characters=40,
    ),
    price_micros=250,
    licence="none",
)
PAINT = SKETCH.model_copy(
    update={
        "id": "paint",
        "kinds": frozenset({TaskKind.TEXT_TO_IMAGE, TaskKind.IMAGE_TO_IMAGE}),
        "lora_family": "sd15",
    }
)
CATALOGUE = Catalogue([SKETCH, PAINT], default_image_model="sketch")
MODELS = ("sketch", "paint")


def profile(
    worker_id: str = "worker", models: Sequence[str] = MODELS, queues: Sequence[str] = QUEUES
) -> WorkerProfile:
    """Return a worker that takes everything."""
    return WorkerProfile(worker_id=worker_id, queues=tuple(queues), models=tuple(models))


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """What a web process and a worker use, and short ways through it."""

    database: FlakyDatabase
    objects: ObjectStore
    accounts: AccountService
    quotas: QuotaService
    jobs: JobService
    execution: ExecutionService
    sweeper: Sweeper
    auditor: AuditService
    events: EventLog

    def new_caller(
        self, name: str = "ada", *, plan_id: str = "free", images_per_day: int | None = None
    ) -> Caller:
        """Return a caller with a new key of a user, who is added when missing."""
        if name not in {row.name for row in self.accounts.list_accounts()}:
            self.accounts.create_account(name, plan_id=plan_id)
        issued = self.accounts.create_key(name, images_per_day=images_per_day)
        return self.accounts.authenticate(issued.plaintext)

    def new_caller_with(self, plan: Plan, name: str = "ada") -> Caller:
        """Return a caller whose plan has these figures."""
        self.accounts.save_plan(plan)
        return self.new_caller(name, plan_id=plan.id)

    def submit(
        self,
        caller: Caller,
        request: Request = LAKE,
        *,
        key: str | None = None,
        cancel_after: timedelta | None = None,
    ) -> Job:
        """Submit a request and return its job."""
        hints = RetryHints(idempotency_key=key, scope="POST /generate")
        return self.jobs.submit(caller, request, hints=hints, cancel_after=cancel_after).job

    def submit_with_reference(self, caller: Caller) -> Job:
        """Submit a request with a reference image and return its job."""
        reference = b"reference"
        request = replace(LAKE, model="paint", reference_sha256=sha256(reference).hexdigest())
        return self.jobs.submit(caller, request, references=reference).job

    def claim(self, worker_id: str = "worker", models: Sequence[str] = MODELS) -> ClaimedJob:
        """Claim the next job, which must be there."""
        claimed = self.execution.claim(profile(worker_id, models))
        assert claimed is not None
        return claimed

    def deliver(self, job: ClaimedJob, position: int = 0) -> Delivery:
        """Store a file of an attempt."""
        data = f"picture {job.id} {job.fence} {position}".encode()
        key = object_key(job.id, fence=job.fence, index=position + 1, extension="png")
        self.objects.put(key, data)
        return Delivery(
            position=position,
            storage_key=key,
            extension="png",
            mime="image/png",
            sha256=sha256(data).hexdigest(),
            size_bytes=len(data),
            width=job.input.width,
            height=job.input.height,
            seed=job.input.seed + position,
        )

    def finish(self, job: ClaimedJob, *, delivered: int | None = None) -> tuple[str, ...]:
        """Finish a job with files; all that were asked for, unless said otherwise."""
        count = job.input.units if delivered is None else delivered
        deliveries = [self.deliver(job, position) for position in range(count)]
        names = self.execution.finish(job, deliveries)
        for delivery, name in zip(deliveries, names, strict=True):
            self.objects.publish(delivery.storage_key, name)
        return names

    def finished_job(self, caller: Caller, request: ImageRequest = LAKE) -> Job:
        """Submit a request, do it, and return its job."""
        job_id = self.submit(caller, request).id
        self.finish(self.claim())
        return self.jobs.get(caller, job_id)

    def row(self, job_id: str) -> AnyRow:
        """Return a job's row."""
        return self.database.read(
            lambda connection: connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
        )

    def outcomes(self, job_id: str) -> list[tuple[int, str | None]]:
        """Return (fence, outcome) of a job's attempts."""
        statement = (
            select(job_attempts.c.fence, job_attempts.c.outcome)
            .where(job_attempts.c.job_id == job_id)
            .order_by(job_attempts.c.fence)
        )
        rows = self.database.read(lambda connection: connection.execute(statement).all())
        return [(row.fence, row.outcome) for row in rows]

    def window(self, caller: Caller, kind: str = "image") -> KindQuota:
        """Return what the caller's account has used of a kind on the day that every test starts."""
        found = self.database.read(self.quotas.list_windows)
        return found.get(
            (caller.account_id, kind, DAY),
            KindQuota(limit=caller.plan.units_per_day(kind), used=0, reserved=0),
        )

    def in_flight(self, caller: Caller) -> int:
        """Return the counted unfinished jobs of the caller's account."""
        return self.database.read(self.accounts.list_in_flight)[caller.account_id]

    def count_rows(self) -> dict[str, int]:
        """Return how many rows each table has."""
        return self.database.read(
            lambda connection: {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in metadata.tables.items()
            }
        )

    def list_files(self) -> list[str]:
        """Return the keys of every stored file."""
        return [found.key for found in self.objects.list_keys()]

    def findings(self) -> list[str]:
        """Return the numbers of the broken invariants."""
        return [finding.invariant for finding in self.auditor.audit().findings]

    def execute(self, statement: str, **values: object) -> None:
        """Change rows behind the services' back, even those that are protected."""

        def work(connection: Any) -> None:  # noqa: ANN401 - see Database.write
            if not self.database.is_sqlite:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
            else:
                names = connection.execute(
                    text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                ).scalars()
                for name in list(names):
                    connection.execute(text(f"DROP TRIGGER {name}"))
            assert connection.execute(text(statement), values).rowcount > 0

        self.database.write(work)


def open_studio(
    database: FlakyDatabase,
    objects: ObjectStore,
    *,
    catalogue: Catalogue = CATALOGUE,
    queue_limit: int = 100,
    attempts: int = 3,
    lease: timedelta = LEASE,
    retention: timedelta | None = RETENTION,
) -> Studio:
    """Return a studio with services of its own, as a process has."""
    accounts = AccountService(database, pepper=b"pepper", allow_test_keys=False)
    quotas = QuotaService(database, accounts, timezone=ZoneInfo("Asia/Shanghai"))
    ledger = LedgerService()
    speeds = Speeds()
    queueing = Queueing(accounts=accounts, catalogue=catalogue, speeds=speeds)
    events = EventLog(database, rules=WEBHOOK_RULES)
    endings = _build_endings(accounts, quotas, ledger, queueing, events)
    submitter = Submitter(
        database=database,
        accounts=accounts,
        quotas=quotas,
        ledger=ledger,
        objects=objects,
        catalogue=catalogue,
        adapters=ADAPTERS,
        queueing=queueing,
        queue_limit=queue_limit,
        deadline=DEADLINE,
        webhook_rules=WEBHOOK_RULES,
    )
    return Studio(
        database=database,
        objects=objects,
        accounts=accounts,
        quotas=quotas,
        jobs=JobService(database=database, submitter=submitter, endings=endings, objects=objects),
        execution=ExecutionService(
            database=database,
            endings=endings,
            speeds=speeds,
            catalogue=catalogue,
            patience=PATIENCE,
            lease=lease,
            attempts=attempts,
            retention=retention,
        ),
        sweeper=Sweeper(
            database=database,
            endings=endings,
            objects=objects,
            mender=QueueMender(database=database, queueing=queueing, batch_ageing=BATCH_AGEING),
        ),
        auditor=AuditService(
            database=database,
            accounts=accounts,
            quotas=quotas,
            ledger=ledger,
            objects=objects,
            events=events,
            sweep_grace=SWEEP_GRACE,
        ),
        events=events,
    )


def _build_endings(
    accounts: AccountService,
    quotas: QuotaService,
    ledger: LedgerService,
    queueing: Queueing,
    events: EventLog,
) -> Endings:
    return Endings(
        accounts=accounts,
        quotas=quotas,
        ledger=ledger,
        queueing=queueing,
        events=events,
        file_address=lambda name, _now: f"/api/v1/files/{name}",
    )
