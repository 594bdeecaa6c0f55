"""Checks before the service starts: each failure is one clear line, and nothing was started."""

import errno
import fcntl
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

from gen_video.engines.catalogue import ModelSpec, read_specs
from gen_video.engines.weights import check_weights, find_folder
from gen_video.errors import ServiceError
from gen_video.settings import Settings

MIN_FREE_BYTES = 200_000_000
BIND_PATIENCE_SECONDS = 3.0
BACKLOG = 2048


class PreflightError(ServiceError):
    """The service cannot start on this machine as it is."""

    code = "cannot_start"


class PortInUseError(PreflightError):
    """Somebody else listens there."""

    message_en = (
        "Port {port} on {host} is in use. Stop the other program or choose another port: "
        "GEN_VIDEO_PORT=8001"
    )
    message_zh = "端口 {port}（{host}）已被占用，请停止占用程序或换一个端口：GEN_VIDEO_PORT=8001"


class AddressUnusableError(PreflightError):
    """The address cannot be listened on."""

    message_en = "Cannot listen on {host}:{port}: {reason}. Check GEN_VIDEO_HOST and GEN_VIDEO_PORT"
    message_zh = "无法监听 {host}:{port}：{reason}。请检查 GEN_VIDEO_HOST 与 GEN_VIDEO_PORT"


class FolderUnusableError(PreflightError):
    """A folder cannot be written."""

    message_en = "The folder {folder} cannot be written: {reason}. Fix it or set {setting}"
    message_zh = "目录 {folder} 不可写：{reason}。请修复或设置 {setting}"


class DiskFullError(PreflightError):
    """The disk is nearly full."""

    message_en = "Only {free} MB are free at {folder}, at least {wanted} MB are needed. Free some"
    message_zh = "{folder} 所在磁盘仅剩 {free} MB，至少需要 {wanted} MB，请清理空间"


class AlreadyRunningError(PreflightError):
    """Another instance uses the data folder."""

    message_en = "Another gen-video runs on {folder} already. Stop it or set GEN_VIDEO_DATA_DIR"
    message_zh = "{folder} 已有另一个 gen-video 在运行，请先停止它或设置 GEN_VIDEO_DATA_DIR"


class UnknownModelNameError(PreflightError):
    """A setting names a model that is not in the catalogue."""

    message_en = "{setting} names {model}, which is not in {file}; see: gen-video models list"
    message_zh = "{setting} 中的 {model} 不在 {file} 中，可用 gen-video models list 查看"


class DatabaseUnusableError(PreflightError):
    """The database address is wrong or its driver is missing."""

    message_en = (
        "The database cannot be used ({reason}). Check GEN_VIDEO_DATABASE_URL, or the SQLite file "
        "in GEN_VIDEO_DATA_DIR"
    )
    message_zh = (
        "数据库无法使用（{reason}），请检查 GEN_VIDEO_DATABASE_URL，"
        "或 GEN_VIDEO_DATA_DIR 中的 SQLite 文件"
    )


def check_folder(folder: Path, *, setting: str, mode: int = 0o777) -> None:
    """Make a folder and check that it can be written and that its disk has room.

    Args:
        folder: Made with its parents.
        setting: That names it, for the error's words.
        mode: Of a folder that is new.

    Raises:
        FolderUnusableError: It cannot be made or written.
        DiskFullError: Fewer than `MIN_FREE_BYTES` are free.
    """
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < MIN_FREE_BYTES:
            raise DiskFullError(
                free=free // 1_000_000, folder=str(folder), wanted=MIN_FREE_BYTES // 1_000_000
            )
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        raise FolderUnusableError(
            folder=str(folder), reason=error.strerror or str(error), setting=setting
        ) from error


def take_lock(folder: Path) -> int:
    """Become the only service on a data folder; return the descriptor that holds the lock.

    The kernel drops the lock when this process ends, however it ends.

    Raises:
        AlreadyRunningError: Somebody else holds it.
    """
    descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise AlreadyRunningError(folder=str(folder)) from error
    return descriptor


def check_model(spec: ModelSpec) -> None:
    """Check that a model in a local folder is there and whole; others are fetched at first use.

    Raises:
        ModelUnavailableError: It is not.
    """
    if spec.engine == "diffusers" and spec.hub == "local":
        check_weights(spec, find_folder(spec, is_offline=True))


def check_model_names(settings: Settings) -> None:
    """Check that the settings name models that the catalogue has.

    Raises:
        UnknownModelNameError: One of them is not there.
    """
    known = {spec.id for spec in read_specs(settings.models_file)}
    given = {"GEN_VIDEO_ENABLED_MODELS": settings.enabled_models}
    if "preload_models" in settings.model_fields_set:
        given["GEN_VIDEO_PRELOAD_MODELS"] = settings.preload_models
    for setting, names in given.items():
        for name in names:
            if name not in known:
                file = str(settings.models_file)
                raise UnknownModelNameError(setting=setting, model=name, file=file)


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket, made once and shared by every web process.

    A service that was killed may need a moment until its processes have let go of the port.

    Raises:
        PortInUseError: Somebody else listens there.
        AddressUnusableError: This machine has no such address, or the port is privileged.
    """
    give_up_at = time.monotonic() + BIND_PATIENCE_SECONDS
    while True:
        try:
            return _listen(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                reason = error.strerror or str(error)
                raise AddressUnusableError(host=host, port=port, reason=reason) from error
            if time.monotonic() > give_up_at:
                raise PortInUseError(host=host, port=port) from error
            time.sleep(0.1)


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
