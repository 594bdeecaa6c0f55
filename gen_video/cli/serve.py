"""`gen-video serve`: the whole service on one machine, from one command."""

import http.client
import os
import socket
from dataclasses import dataclass
from typing import Annotated

import typer

from gen_video.cli import preflight
from gen_video.cli.children import Child
from gen_video.cli.configuration import SettingsError, load_settings
from gen_video.cli.supervisor import Supervisor
from gen_video.cli.terminal import note, say
from gen_video.cli.welcome import welcome_lines
from gen_video.errors import ServiceError, ServiceUnavailableError
from gen_video.settings import Settings, find_unknown_names, process_environment
from gen_video.telemetry.logs import configure_logging
from gen_video.telemetry.metrics import mark_process_dead, prepare_metrics_folder
from gen_video.wiring import build_services

KILL_EXTRA_SECONDS = 10.0
PROBE_SECONDS = 1.0
HTTP_ERROR = 500

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Ground:
    """What the checks have found out and taken hold of."""

    lock: int
    listener: socket.socket
    journal: str


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on / 监听地址")] = None,
    port: Annotated[int | None, typer.Option(help="Port / 端口", min=1, max=65535)] = None,
    web_processes: Annotated[
        int | None, typer.Option(help="Web processes / Web 进程数", min=1, max=64)
    ] = None,
) -> None:
    """Start web, worker and engine; Ctrl-C stops them all.

    启动整个服务，Ctrl-C 停止。
    """
    chosen = {"host": host, "port": port, "web_processes": web_processes}
    settings = _override(load_settings(), chosen)
    for name in find_unknown_names():
        note(f"! There is no setting {name}; see .env.example", f"没有配置项 {name}")
    configure_logging(level=settings.log_level, json=settings.is_logging_json, process="supervisor")
    ground = prepare(settings)
    _supervise(settings, ground)
    note("Stopped.", "已停止。")


def prepare(settings: Settings) -> Ground:
    """Check everything that can be wrong, migrate, and take the port.

    Raises:
        ServiceError: Says in one line what is wrong and what to do.
    """
    preflight.check_folder(settings.data_dir, setting="GEN_VIDEO_DATA_DIR", mode=0o700)
    preflight.check_folder(settings.output_dir, setting="GEN_VIDEO_OUTPUT_DIR")
    lock = preflight.take_lock(settings.data_dir)
    listener = preflight.open_listener(settings.host, settings.port)
    journal = _prepare_database(settings)
    prepare_metrics_folder(settings.metrics_folder)
    return Ground(lock, listener, journal)


def _prepare_database(settings: Settings) -> str:
    try:
        services = build_services(settings)
        try:
            preflight.check_model(services.catalogue.get(settings.default_image_model))
            preflight.check_model_names(settings)
            services.probe_database()
            services.migrate()
            return services.journal_note
        finally:
            services.close()
    except ServiceUnavailableError as error:
        raise preflight.DatabaseUnusableError(reason=error.facts["reason"]) from error
    except ServiceError:
        raise
    except Exception as error:
        # A wrong address, a missing driver or a file that is no database each raise their own.
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
        raise preflight.DatabaseUnusableError(reason=reason) from error


def _supervise(settings: Settings, ground: Ground) -> None:
    read_end, write_end = os.pipe()
    try:
        Supervisor(
            _children(settings, listener=ground.listener.fileno(), lifeline=read_end),
            stop_seconds=settings.drain_notice_seconds
            + settings.drain_seconds
            + KILL_EXTRA_SECONDS,
            on_death=lambda pid: mark_process_dead(settings.metrics_folder, pid),
            is_ready=lambda: is_answering(settings.host, settings.port),
            on_ready=lambda: _welcome(settings, ground.journal),
        ).run()
    finally:
        os.close(write_end)
        os.close(read_end)
        ground.listener.close()
        os.close(ground.lock)


def _children(settings: Settings, *, listener: int, lifeline: int) -> list[Child]:
    environment = process_environment() | {
        "GEN_VIDEO_HOST": settings.host,
        "GEN_VIDEO_PORT": str(settings.port),
        "GEN_VIDEO_WEB_PROCESSES": str(settings.web_processes),
    }
    tie = ["--lifeline", str(lifeline)]
    web = [
        Child(
            f"web-{number}",
            ["web", "--socket", str(listener), *tie],
            descriptors=(listener, lifeline),
            environment=environment,
        )
        for number in range(1, settings.web_processes + 1)
    ]
    worker = Child("worker", ["worker", *tie], descriptors=(lifeline,), environment=environment)
    return [*web, worker]


def is_answering(host: str, port: int) -> bool:
    """Tell whether a web process answers on the service's own port."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(local, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/api/v1/health/live")
        return connection.getresponse().status < HTTP_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _welcome(settings: Settings, journal: str) -> None:
    for line in welcome_lines(settings, journal=journal):
        say(line)


def _override(settings: Settings, chosen: dict[str, str | int | None]) -> Settings:
    given = {name: value for name, value in chosen.items() if value is not None}
    if given.get("host") == "":
        raise SettingsError(reason="--host is empty")
    return settings.model_copy(update=given)
