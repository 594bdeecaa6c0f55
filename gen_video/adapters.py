"""Adapters: which make of each the settings ask for.

Together with `wiring`, the only place where settings turn into objects.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import cycle, islice

from gen_video.db.database import Database
from gen_video.egress.closed import ClosedFetcher
from gen_video.egress.fetch import EgressClient
from gen_video.egress.fetcher import Fetcher
from gen_video.egress.post import EgressPoster, Poster
from gen_video.egress.way import Way
from gen_video.engines.catalogue import Catalogue
from gen_video.engines.host import EngineHost, HostLimits
from gen_video.engines.makes import ChildConfig
from gen_video.generation.announcements import FileAddress
from gen_video.generation.dispatch import Dispatcher, DispatchService
from gen_video.generation.queueing import list_queues
from gen_video.generation.states import JobKind
from gen_video.queues.slots import Slots
from gen_video.queues.wakeups import OnWake, WakeUpListener
from gen_video.settings import Settings, process_environment
from gen_video.storage.local import LocalObjectStore
from gen_video.storage.objects import ObjectStore
from gen_video.storage.s3 import S3ObjectStore
from gen_video.storage.s3_clients import BucketAddress, parse_storage_url
from gen_video.storage.signatures import FileLinks
from gen_video.threads import DoorThreads
from gen_video.throttles.build import build_throttle
from gen_video.throttles.throttle import Throttle
from gen_video.webhooks.urls import UrlRules

FILES_PATH = "/api/v1/files/"
"""Where every make of store is read by users."""


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
    return EgressClient(Way(allow_private=settings.url_access == "any"))


def build_url_rules(settings: Settings) -> UrlRules:
    """Return where webhooks may be sent."""
    return UrlRules(
        is_open=settings.url_access != "off",
        allow_http=settings.webhook_http,
        allow_private=settings.url_access == "any",
    )


def build_poster(settings: Settings) -> Poster:
    """Return what sends webhooks."""
    return EgressPoster(Way(allow_private=settings.url_access == "any"))


def build_file_address(settings: Settings, links: FileLinks) -> FileAddress:
    """Return what gives the addresses of files in events: whole ones where our own is known."""
    base = f"{settings.public_url.rstrip('/')}{FILES_PATH}"

    def address(name: str, now: datetime) -> str:
        if settings.file_access != "signed":
            return f"{base}{name}"
        return f"{base}{name}?{links.query(name, now=now.timestamp())}"

    return address


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

    specs = catalogue.list_models()
    queues = [queue for kind in JobKind for queue in list_queues(specs, kind)]
    return Dispatcher(DispatchService(database=database, wakeups=CelerySender(url)), queues)


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
        ),
        public_endpoint=settings.s3_public_endpoint,
    )


def build_listener(
    url: str, names: Sequence[str], on_wake: OnWake, *, slots: Slots, name: str
) -> WakeUpListener:
    """Return what hears a broker's wake-ups.

    Args:
        url: The broker.
        names: Of its queues.
        on_wake: Called for each wake-up.
        slots: Shared with the loops that do the work.
        name: Unique per listener.
    """
    from gen_video.queues.celery_listener import CeleryListener  # noqa: PLC0415 - slow

    return CeleryListener(url, names, on_wake, slots=slots, name=name)
