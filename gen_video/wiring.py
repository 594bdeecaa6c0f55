"""Wiring: settings become objects, once per process.

The only place that knows which make of every adapter is used.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import cycle, islice
from typing import ParamSpec, TypeVar

from gen_video.accounts.service import AccountService
from gen_video.billing.service import LedgerService
from gen_video.db import migrate
from gen_video.db.database import Database
from gen_video.db.watch import ChangeWatcher
from gen_video.egress.closed import ClosedFetcher
from gen_video.egress.fetch import EgressClient
from gen_video.egress.fetcher import Fetcher
from gen_video.engines.catalogue import Catalogue, load_catalogue
from gen_video.engines.host import EngineHost, HostLimits
from gen_video.engines.loras import Adapter, list_adapters
from gen_video.engines.makes import ChildConfig
from gen_video.errors import ServiceUnavailableError
from gen_video.generation import estimates
from gen_video.generation.audit import AuditService
from gen_video.generation.dispatch import (
    Dispatcher,
    DispatchService,
    NoAnnouncer,
    broker_queue,
)
from gen_video.generation.endings import Endings
from gen_video.generation.execution import ExecutionService
from gen_video.generation.mending import QueueMender
from gen_video.generation.models import JobSnapshot, QueueFigures
from gen_video.generation.queueing import Queueing, queue_of
from gen_video.generation.service import JobService
from gen_video.generation.speeds import Speeds
from gen_video.generation.states import JobKind
from gen_video.generation.submission import Submitter
from gen_video.generation.sweeper import Sweeper
from gen_video.generation.watch import JobWatch
from gen_video.queues.slots import Slots
from gen_video.queues.wakeups import OnWake, WakeUpListener
from gen_video.quotas.service import QuotaService
from gen_video.settings import PROJECT_FOLDER, Settings, process_environment
from gen_video.storage.local import LocalObjectStore
from gen_video.storage.objects import ObjectStore
from gen_video.storage.s3 import S3ObjectStore
from gen_video.storage.s3_clients import BucketAddress, parse_storage_url
from gen_video.storage.signatures import FileLinks
from gen_video.telemetry.metrics import Metrics
from gen_video.throttles.build import build_throttle
from gen_video.throttles.throttle import Throttle

DOOR_THREADS = 8
ERRAND_THREADS, ERRANDS, ERRANDS_OF_ACCOUNT = 8, 32, 4

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class DoorThreads:
    """The threads on which an asynchronous door runs one synchronous service call."""

    def __init__(self, count: int = DOOR_THREADS, *, name: str = "door") -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(
        self,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a call off the event loop and return its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(function, *args, **kwargs))

    def close(self) -> None:
        """Wait for running calls and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Errands:
    """Slow calls for users, on threads of their own: a slow server of one user stops nobody else.

    Used by one event loop.
    """

    def __init__(self) -> None:
        self._threads = DoorThreads(ERRAND_THREADS, name="errand")
        self._open: Counter[str] = Counter()

    async def run(
        self,
        account_id: str,
        function: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Run a call for an account.

        Raises:
            ServiceUnavailableError: It has too many under way already, or everybody together has.
        """
        is_busy = self._open[account_id] >= ERRANDS_OF_ACCOUNT or self._open.total() >= ERRANDS
        if is_busy:
            raise ServiceUnavailableError("image reader busy")
        self._open[account_id] += 1
        try:
            return await self._threads.run(function, *args, **kwargs)
        finally:
            self._open[account_id] -= 1
            self._open += Counter()  # forgets those at zero

    def close(self) -> None:
        """Wait for running calls and end the threads."""
        self._threads.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every object that a door of this process uses."""

    settings: Settings
    database: Database
    catalogue: Catalogue
    adapters: tuple[Adapter, ...]
    objects: ObjectStore
    links: FileLinks
    fetcher: Fetcher
    accounts: AccountService
    quotas: QuotaService
    jobs: JobService
    execution: ExecutionService
    sweeper: Sweeper
    auditor: AuditService
    watcher: ChangeWatcher
    threads: DoorThreads
    errands: Errands
    metrics: Metrics
    throttle: Throttle | None
    dispatcher: Dispatcher | None

    def job_watch(self) -> JobWatch:
        """Return a watch for the running event loop; a web process makes one."""

        def read(job_ids: Sequence[str]) -> Awaitable[dict[str, JobSnapshot]]:
            return self.threads.run(self.jobs.read_snapshots, job_ids)

        return JobWatch(self.watcher, read)

    def queue_figures(self) -> QueueFigures:
        """Return the queue's figures for health and metrics."""
        return self.database.read(
            lambda connection: estimates.read_figures(connection, now=self.database.now(connection))
        )

    def migrate(self) -> str:
        """Bring the database to this version's schema, with plans (and test keys) in it.

        Returns the revision.
        """
        revision = migrate.find_revision(self.database)
        if revision != migrate.head_revision():
            revision = migrate.upgrade(self.database)
        self.accounts.seed()
        return revision

    def require_schema(self) -> None:
        """Check that the database is at this version's schema.

        Raises:
            SchemaError: It is older, newer or empty.
        """
        migrate.require_schema(self.database)

    def probe_database(self) -> None:
        """Ask the database for its clock.

        Raises:
            DatabaseUnavailableError: It does not answer.
        """
        self.database.read(self.database.now)

    def listen(
        self, queues: Sequence[str], on_wake: OnWake, *, slots: Slots, name: str
    ) -> WakeUpListener | None:
        """Return what hears the broker's wake-ups for some queues; None without a broker."""
        url = self.settings.broker_url.get_secret_value()
        if not url:
            return None
        from gen_video.queues.celery_listener import CeleryListener  # noqa: PLC0415 - slow

        tiers = self.settings.worker_tiers or {plan.tier for plan in self.accounts.list_plans()}
        names = [broker_queue(queue, tier) for queue in queues for tier in sorted(tiers)]
        return CeleryListener(url, names, on_wake, slots=slots, name=name)

    @property
    def journal_note(self) -> str:
        """Say which database and journal are in use, for the start-up line."""
        journal = self.database.journal
        if journal is None:
            return "PostgreSQL, synchronous_commit=on"
        return f"{journal.journal_mode}, synchronous={journal.synchronous} ({journal.reason})"

    def close(self) -> None:
        """Release threads and connections."""
        if self.dispatcher is not None:
            self.dispatcher.close()
        self.watcher.close()
        self.threads.close()
        self.errands.close()
        self.database.close()


def build_engines(
    settings: Settings, catalogue: Catalogue, *, on_restart: Callable[[str], None] | None = None
) -> list[EngineHost]:
    """Return a worker's engines, on its devices in turn."""
    devices = islice(cycle(settings.device.split(",")), settings.worker_concurrency)
    return [
        build_engine(settings, catalogue, device=device, on_restart=on_restart)
        for device in devices
    ]


def build_engine(
    settings: Settings,
    catalogue: Catalogue,
    *,
    device: str | None = None,
    on_restart: Callable[[str], None] | None = None,
) -> EngineHost:
    """Return an engine; its child starts at the first use."""
    return EngineHost(
        catalogue,
        ChildConfig(
            device=device or settings.device.split(",")[0],
            threads=settings.engine_threads,
            memory_mib=settings.engine_memory_mib,
            lora_folder=str(settings.lora_dir),
            is_hub_offline=settings.hub_offline,
            video_share=settings.video_share,
        ),
        limits=HostLimits(hang=settings.engine_hang_seconds, load=settings.engine_load_seconds),
        environment=process_environment(),
        on_restart=on_restart,
    )


def build_fetcher(settings: Settings) -> Fetcher:
    """Return what fetches the URLs that users name."""
    if settings.url_access == "off":
        return ClosedFetcher()
    return EgressClient(allow_private=settings.url_access == "any")


def build_dispatcher(
    settings: Settings, database: Database, catalogue: Catalogue
) -> Dispatcher | None:
    """Return what announces jobs to the broker; None without one.

    Raises:
        BrokerUrlError: The setting names no broker that we know.
    """
    url = settings.broker_url.get_secret_value()
    if not url:
        return None
    from gen_video.queues.celery_sender import CelerySender  # noqa: PLC0415 - slow

    queues = {
        queue_of(spec, kind)
        for spec in catalogue.list_models()
        for kind in JobKind
        if (spec.makes_videos if kind is JobKind.VIDEO else spec.makes_pictures)
    }
    service = DispatchService(database=database, wakeups=CelerySender(url))
    return Dispatcher(service, sorted(queues))


def build_rates(settings: Settings, database: Database, threads: DoorThreads) -> Throttle | None:
    """Return what counts the requests of every account; None when nothing is limited."""
    if not settings.rate_limits:
        return None
    return build_throttle(
        settings.rate_limit_url.get_secret_value(),
        web_processes=settings.web_processes,
        database=database,
        offload=threads.run,
    )


def build_objects(settings: Settings) -> ObjectStore:
    """Return where files live; asks no server yet.

    Raises:
        StorageSettingError: The settings name no store.
    """
    if not settings.storage_url:
        return LocalObjectStore(settings.output_dir)
    bucket, prefix = parse_storage_url(settings.storage_url)
    return S3ObjectStore(
        BucketAddress(
            bucket=bucket,
            prefix=prefix,
            endpoint=settings.s3_endpoint,
            region=settings.s3_region,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=settings.s3_secret_access_key.get_secret_value(),
        )
    )


def migrate_database(settings: Settings) -> str:
    """Migrate and seed the database that the settings name; return the revision."""
    services = build_services(settings)
    try:
        return services.migrate()
    finally:
        services.close()


def build_services(settings: Settings) -> Services:
    """Build every object from the settings; opens no connection yet.

    Raises:
        CatalogueError: `models.toml` is wrong.
        StorageSettingError: The settings name no store.
    """
    # The database holds prompts: nobody else on this machine may read it.
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.effective_database_url)
    catalogue = load_catalogue(
        settings.models_file,
        default_image_model=settings.default_image_model,
        default_video_model=settings.default_video_model,
        include_test_models=settings.enable_test_model,
        base_folder=PROJECT_FOLDER,
        enabled_models=settings.enabled_models,
    )
    adapters = list_adapters(settings.lora_dir)
    objects = build_objects(settings)
    accounts = AccountService(
        database, pepper=settings.pepper, allow_test_keys=not settings.is_production
    )
    quotas = QuotaService(database, accounts, timezone=settings.business_timezone)
    ledger = LedgerService()
    speeds = Speeds()
    queueing = Queueing(accounts=accounts, catalogue=catalogue, speeds=speeds)
    endings = Endings(accounts=accounts, quotas=quotas, ledger=ledger, queueing=queueing)
    dispatcher = build_dispatcher(settings, database, catalogue)
    submitter = Submitter(
        database=database,
        accounts=accounts,
        quotas=quotas,
        ledger=ledger,
        objects=objects,
        catalogue=catalogue,
        adapters=frozenset(adapter.name for adapter in adapters),
        queueing=queueing,
        queue_limit=settings.queue_limit,
        deadline=timedelta(seconds=settings.job_deadline_seconds),
    )
    days = settings.retention_days
    threads = DoorThreads()
    return Services(
        settings=settings,
        database=database,
        catalogue=catalogue,
        adapters=adapters,
        objects=objects,
        links=FileLinks(settings.pepper, seconds=settings.file_url_seconds),
        fetcher=build_fetcher(settings),
        accounts=accounts,
        quotas=quotas,
        jobs=JobService(
            database=database,
            submitter=submitter,
            endings=endings,
            objects=objects,
            announcer=dispatcher or NoAnnouncer(),
        ),
        execution=ExecutionService(
            database=database,
            endings=endings,
            speeds=speeds,
            catalogue=catalogue,
            patience=timedelta(seconds=settings.warm_model_seconds),
            lease=timedelta(seconds=settings.lease_seconds),
            attempts=settings.job_attempts,
            retention=timedelta(days=days) if days else None,
        ),
        sweeper=Sweeper(
            database=database,
            endings=endings,
            objects=objects,
            mender=QueueMender(
                database=database,
                queueing=queueing,
                batch_ageing=timedelta(seconds=settings.batch_ageing_seconds),
            ),
        ),
        auditor=AuditService(
            database=database,
            accounts=accounts,
            quotas=quotas,
            ledger=ledger,
            objects=objects,
            sweep_grace=timedelta(seconds=2 * settings.sweep_seconds),
        ),
        watcher=ChangeWatcher(database),
        threads=threads,
        errands=Errands(),
        metrics=Metrics(settings.metrics_folder),
        throttle=build_rates(settings, database, threads),
        dispatcher=dispatcher,
    )
