"""Wiring: settings become objects, once per process."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gen_video import adapters
from gen_video.accounts.people import PeopleService
from gen_video.accounts.roster import Roster
from gen_video.accounts.service import AccountService
from gen_video.accounts.sign_ins import SignInService
from gen_video.audit_log.service import AuditLog
from gen_video.billing.service import LedgerService
from gen_video.calls.service import CallLog
from gen_video.db import migrate
from gen_video.db.database import Database
from gen_video.db.watch import ChangeWatcher
from gen_video.egress.fetcher import Fetcher
from gen_video.engines.aliases import ModelAliases
from gen_video.engines.catalogue import Catalogue, load_catalogue
from gen_video.engines.loras import Adapter, list_adapters
from gen_video.generation.audit import AuditService
from gen_video.generation.dispatch import Dispatcher, NoAnnouncer, broker_queue
from gen_video.generation.endings import Endings
from gen_video.generation.estimates import FiguresReader
from gen_video.generation.execution import ExecutionService
from gen_video.generation.mending import QueueMender
from gen_video.generation.models import JobSnapshot, QueueFigures
from gen_video.generation.queueing import Queueing
from gen_video.generation.service import JobService
from gen_video.generation.speeds import Speeds
from gen_video.generation.submission import Submitter
from gen_video.generation.sweeper import Sweeper
from gen_video.generation.watch import JobWatch
from gen_video.generation.workforce import Workforce
from gen_video.insights.service import InsightsService
from gen_video.queues.slots import Slots
from gen_video.queues.wakeups import OnWake, WakeUpListener
from gen_video.quotas.service import QuotaService
from gen_video.settings import PROJECT_FOLDER, Settings
from gen_video.storage.objects import ObjectStore
from gen_video.storage.signatures import FileLinks
from gen_video.telemetry.metrics import Metrics
from gen_video.threads import DoorThreads, Errands
from gen_video.throttles.throttle import Throttle
from gen_video.webhooks.courier import Kit
from gen_video.webhooks.desk import DeliveryDesk
from gen_video.webhooks.event_log import EventLog
from gen_video.webhooks.service import WebhookService
from gen_video.webhooks.signing import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every object that a door of this process uses."""

    settings: Settings
    database: Database
    catalogue: Catalogue
    aliases: ModelAliases
    adapters: tuple[Adapter, ...]
    objects: ObjectStore
    links: FileLinks
    fetcher: Fetcher
    accounts: AccountService
    sign_ins: SignInService
    people: PeopleService
    roster: Roster
    audit_log: AuditLog
    calls: CallLog
    insights: InsightsService
    workforce: Workforce
    quotas: QuotaService
    jobs: JobService
    execution: ExecutionService
    sweeper: Sweeper
    auditor: AuditService
    figures: FiguresReader
    webhooks: WebhookService
    events: EventLog
    courier_kit: Kit
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
        return self.figures.read()

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
        names = self.broker_queues(queues)
        return adapters.build_listener(url, names, on_wake, slots=slots, name=name)

    def broker_queues(self, queues: Sequence[str]) -> list[str]:
        """Return the broker's names of some queues, for the tiers that this worker takes."""
        tiers = self.settings.worker_tiers or {plan.tier for plan in self.accounts.list_plans()}
        return [broker_queue(queue, tier) for queue in queues for tier in sorted(tiers)]

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
        self.calls.close()
        self.database.close()


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
        BrokerUrlError: The settings name no broker that we know.
    """
    # The database holds prompts: nobody else on this machine may read it.
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    base = _build_base(settings)
    dispatcher = adapters.build_dispatcher(settings, base.database, base.catalogue)
    threads = DoorThreads()
    metrics = Metrics(settings.metrics_folder)
    courier_kit = _build_courier_kit(settings, base, metrics)
    return Services(
        settings=settings,
        database=base.database,
        catalogue=base.catalogue,
        aliases=ModelAliases(base.catalogue, settings.model_aliases),
        adapters=base.adapters,
        objects=base.objects,
        links=base.links,
        fetcher=adapters.build_fetcher(settings),
        accounts=base.accounts,
        sign_ins=SignInService(
            base.database,
            base.accounts,
            pepper=settings.pepper,
            is_development=not settings.is_production,
        ),
        people=PeopleService(base.database, base.accounts),
        roster=Roster(base.database, base.accounts),
        audit_log=AuditLog(base.database),
        calls=CallLog(base.database),
        insights=InsightsService(base.database, timezone=settings.business_timezone),
        workforce=Workforce(base.database, AuditLog(base.database)),
        quotas=base.quotas,
        jobs=JobService(
            database=base.database,
            submitter=_build_submitter(settings, base),
            endings=base.endings,
            objects=base.objects,
            announcer=dispatcher or NoAnnouncer(),
        ),
        execution=_build_execution(settings, base),
        sweeper=_build_sweeper(settings, base),
        auditor=AuditService(
            database=base.database,
            accounts=base.accounts,
            quotas=base.quotas,
            ledger=base.ledger,
            objects=base.objects,
            events=base.events,
            sweep_grace=timedelta(seconds=2 * settings.sweep_seconds),
        ),
        figures=FiguresReader(base.database),
        webhooks=_build_webhooks(base, courier_kit),
        events=base.events,
        courier_kit=courier_kit,
        watcher=ChangeWatcher(base.database, settings.database_listen_url),
        threads=threads,
        errands=Errands(),
        metrics=metrics,
        throttle=adapters.build_rates(settings, base.database, threads),
        dispatcher=dispatcher,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What several services are built upon."""

    database: Database
    catalogue: Catalogue
    adapters: tuple[Adapter, ...]
    objects: ObjectStore
    links: FileLinks
    accounts: AccountService
    quotas: QuotaService
    ledger: LedgerService
    speeds: Speeds
    queueing: Queueing
    events: EventLog
    endings: Endings


def _build_base(settings: Settings) -> _Base:
    database = Database(
        settings.effective_database_url,
        pool_size=settings.database_pool_size,
        pooler=settings.database_pooler,
    )
    catalogue = load_catalogue(
        settings.models_file,
        default_image_model=settings.default_image_model,
        default_video_model=settings.default_video_model,
        include_test_models=settings.enable_test_model,
        base_folder=PROJECT_FOLDER,
        enabled_models=settings.enabled_models,
    )
    accounts = AccountService(
        database, pepper=settings.pepper, allow_test_keys=not settings.is_production
    )
    quotas = QuotaService(database, accounts, timezone=settings.business_timezone)
    ledger = LedgerService()
    speeds = Speeds()
    queueing = Queueing(accounts=accounts, catalogue=catalogue, speeds=speeds)
    links = FileLinks(settings.pepper, seconds=settings.file_url_seconds)
    events = EventLog(database, rules=adapters.build_url_rules(settings))
    return _Base(
        database=database,
        catalogue=catalogue,
        adapters=list_adapters(settings.lora_dir),
        objects=adapters.build_objects(settings),
        links=links,
        accounts=accounts,
        quotas=quotas,
        ledger=ledger,
        speeds=speeds,
        queueing=queueing,
        events=events,
        endings=Endings(
            accounts=accounts,
            quotas=quotas,
            ledger=ledger,
            queueing=queueing,
            events=events,
            file_address=adapters.build_file_address(settings, links),
        ),
    )


def _build_courier_kit(settings: Settings, base: _Base, metrics: Metrics) -> Kit:
    return Kit(
        desk=DeliveryDesk(base.database),
        poster=adapters.build_poster(settings),
        signer=Signer(settings.pepper),
        rules=adapters.build_url_rules(settings),
        metrics=metrics,
    )


def _build_webhooks(base: _Base, kit: Kit) -> WebhookService:
    return WebhookService(
        database=base.database,
        accounts=base.accounts,
        signer=kit.signer,
        rules=kit.rules,
        poster=kit.poster,
    )


def _build_submitter(settings: Settings, base: _Base) -> Submitter:
    return Submitter(
        database=base.database,
        accounts=base.accounts,
        quotas=base.quotas,
        ledger=base.ledger,
        objects=base.objects,
        catalogue=base.catalogue,
        adapters=frozenset(adapter.name for adapter in base.adapters),
        queueing=base.queueing,
        queue_limit=settings.queue_limit,
        deadline=timedelta(seconds=settings.job_deadline_seconds),
        webhook_rules=adapters.build_url_rules(settings),
    )


def _build_execution(settings: Settings, base: _Base) -> ExecutionService:
    days = settings.retention_days
    return ExecutionService(
        database=base.database,
        endings=base.endings,
        speeds=base.speeds,
        catalogue=base.catalogue,
        lease=timedelta(seconds=settings.lease_seconds),
        attempts=settings.job_attempts,
        retention=timedelta(days=days) if days else None,
        patience=timedelta(seconds=settings.warm_model_seconds),
    )


def _build_sweeper(settings: Settings, base: _Base) -> Sweeper:
    return Sweeper(
        database=base.database,
        endings=base.endings,
        objects=base.objects,
        mender=QueueMender(
            database=base.database,
            queueing=base.queueing,
            batch_ageing=timedelta(seconds=settings.batch_ageing_seconds),
        ),
    )
