"""`gen-video doctor`: what this machine can run, and what is wrong.

Looks only: makes no folder, changes no database. Torch is asked in a process of its own, because
it is slow to load and belongs to the engine.
"""

import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer

from gen_video.cli import drawing, preflight
from gen_video.cli.configuration import load_settings
from gen_video.cli.terminal import print_json, say
from gen_video.errors import ServiceError
from gen_video.settings import Settings
from gen_video.wiring import build_services

MARKS = {"ok": "✓", "warning": "!", "wrong": "✗"}
TORCH_SECONDS = 120
MIN_MEMORY_BYTES = 2_000_000_000
TORCH_QUESTION = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__,
    "device": torch.cuda.get_device_name(0) if cuda else
        ("mps" if torch.backends.mps.is_available() else "cpu"),
    "memory": torch.cuda.mem_get_info(0)[1] >> 20 if cuda else None,
}))
"""

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at; `state` is ok, warning or wrong."""

    subject: str
    state: str
    text: str


@app.command()
def doctor(
    *, is_json: Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")] = False
) -> None:
    """Say what this machine can run; exit code 1 when something keeps the service from starting.

    检查本机环境，有阻碍启动的问题时退出码为 1。
    """
    settings = load_settings()
    found = list(diagnose(settings))
    if is_json:
        print_json([asdict(diagnosis) for diagnosis in found])
    for diagnosis in () if is_json else found:
        say(f"{MARKS[diagnosis.state]} {diagnosis.subject}: {diagnosis.text}")
    raise typer.Exit(1 if any(diagnosis.state == "wrong" for diagnosis in found) else 0)


def diagnose(settings: Settings) -> Iterator[Diagnosis]:
    """Look at everything in turn."""
    yield Diagnosis("Python", "ok", f"{platform.python_version()} ({platform.system()})")
    yield _machine()
    yield _torch()
    yield _folder("Data folder / 数据目录", settings.data_dir)
    yield _folder("Output folder / 输出目录", settings.output_dir)
    yield _guarded("Database / 数据库", lambda: _database(settings))
    yield _guarded("Default model / 默认模型", lambda: _model(settings))
    yield _port(settings)


def _machine() -> Diagnosis:
    memory = psutil.virtual_memory()
    state = "ok" if memory.available > MIN_MEMORY_BYTES else "warning"
    text = f"{os.cpu_count()} cores / 核, {memory.available >> 20} of {memory.total >> 20} MiB free"
    return Diagnosis("Machine / 机器", state, text)


def _torch() -> Diagnosis:
    subject = "Torch"
    missing = [name for name in ("torch", "diffusers") if importlib.util.find_spec(name) is None]
    if missing:
        return Diagnosis(subject, "wrong", f"{', '.join(missing)} missing / 未安装: make setup")
    try:
        done = subprocess.run(  # noqa: S603 - our own text, no shell
            [sys.executable, "-c", TORCH_QUESTION],
            capture_output=True,
            timeout=TORCH_SECONDS,
            check=True,
        )
        answer = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError) as error:
        return Diagnosis(subject, "wrong", f"does not load / 无法加载: {type(error).__name__}")
    memory = f", {answer['memory']} MiB" if answer["memory"] else ""
    return Diagnosis(subject, "ok", f"{answer['version']}, {answer['device']}{memory}")


def _folder(subject: str, folder: Path) -> Diagnosis:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{folder}, {free // 1_000_000} MB free / 可用"
    is_good = os.access(existing, os.W_OK) and free >= preflight.MIN_FREE_BYTES
    return Diagnosis(subject, "ok" if is_good else "wrong", text)


def _database(settings: Settings) -> str:
    if not settings.database_url and not settings.data_dir.exists():
        return "SQLite, new at first start / 首次启动时创建"
    services = build_services(settings)
    try:
        services.probe_database()
        return services.journal_note
    finally:
        services.close()


def _model(settings: Settings) -> str:
    catalogue = drawing.open_catalogue(settings)
    spec = catalogue.get(settings.default_image_model)
    preflight.check_model(spec)
    return f"{spec.id}, {spec.licence}, {spec.source if spec.hub != 'local' else 'local'}"


def _guarded(subject: str, look: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(subject, "ok", look())
    except ServiceError as error:
        return Diagnosis(subject, "wrong", f"{error.message('en')} / {error.message('zh')}")
    except Exception as error:  # noqa: BLE001 - a wrong address or a missing driver raise their own
        return Diagnosis(subject, "wrong", f"{type(error).__name__}: {error}".splitlines()[0])


def _port(settings: Settings) -> Diagnosis:
    subject, place = "Port / 端口", f"{settings.host}:{settings.port}"
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((settings.host or "127.0.0.1", settings.port)) == 0:
            return Diagnosis(subject, "warning", f"{place} in use / 已被占用")
    return Diagnosis(subject, "ok", f"{place} free / 可用")
