"""Install: bring `.venv` to what pyproject.toml and constraints.txt say, or find it done.

Run by the launcher and by `make setup`, with any Python from 3.11 that has venv, and nothing else.
A stamp in `.venv` remembers what was installed: a second start installs nothing. What was cut off
half-way is begun anew; pip keeps what it has downloaded.
"""

import argparse
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

PROJECT = Path(__file__).resolve().parent.parent
FOLDER = PROJECT / ".venv"
PYTHON = FOLDER / "bin" / "python"
STAMP = FOLDER / "gen-video-stamp.json"
UNFINISHED = FOLDER / "gen-video-unfinished"
LOG = FOLDER / "gen-video-install.log"
SOURCES = ("pyproject.toml", "constraints.txt")
TORCH_CHOICES = ("auto", "cpu", "cuda", "none")
GIB = 1024**3
ROOM_GIB = {"none": 1, "cpu": 4, "cuda": 12}
LARGE_MB = 20.0
DOWNLOAD = re.compile(r"(?:Downloading|Processing) (?:\S*/)?(\S+?)-\d\S* \(([\d.]+) (MB|GB)\)")

NETWORK_SIGNS = (
    "NewConnectionError",
    "Max retries exceeded",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "Connection refused",
    "Connection reset",
    "ProxyError",
)


class InstallError(Exception):
    """The installation cannot go on; says why and what to do, in both languages."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What an installation was made from."""

    digest: str
    folder: str
    python: str
    torch: str
    extras: tuple[str, ...]

    def satisfies(self, wanted: "Stamp") -> bool:
        """Tell whether this installation serves a wish; more extras than wished for do."""
        mine, theirs = asdict(self), asdict(wanted)
        return set(wanted.extras) <= set(self.extras) and all(
            mine[name] == theirs[name] for name in ("digest", "folder", "python", "torch")
        )


def say(en: str, zh: str) -> None:
    """Print one line of progress in both languages."""
    sys.stdout.write(f"{en} / {zh}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Install what is missing; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extras", default="", help="more extras, e.g. dev,training")
    parser.add_argument("--check", action="store_true", help="only tell whether all is installed")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no Chinese
    try:
        wanted = wish(tuple(filter(None, options.extras.split(","))))
        if options.check:
            return 0 if is_satisfied(wanted) else 3
        with_lock(wanted)
    except InstallError as error:
        sys.stderr.write(f"✗ {error.en}\n✗ {error.zh}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(
            "\n✗ Interrupted; the next start repairs it / 已中断，下次启动会自动修复\n"
        )
        return 130
    return 0


def wish(more_extras: tuple[str, ...]) -> Stamp:
    """Return the stamp that the sources, this Python and the operator's choice ask for."""
    torch = os.environ.get("GEN_VIDEO_TORCH", "").strip().lower() or "auto"
    if torch not in TORCH_CHOICES:
        raise InstallError(
            f"GEN_VIDEO_TORCH={torch} is unknown; use one of: {', '.join(TORCH_CHOICES)}",
            f"GEN_VIDEO_TORCH={torch} 无效，可选：{'、'.join(TORCH_CHOICES)}",
        )
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((PROJECT / name).read_bytes())
    digest.update(os.environ.get("GEN_VIDEO_TORCH_INDEX_URL", "").encode())
    extras = set(more_extras) if torch == "none" else {"engine", *more_extras}
    return Stamp(
        digest=digest.hexdigest(),
        folder=str(PROJECT),
        python=f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}",
        torch=torch,
        extras=tuple(sorted(extras)),
    )


def is_satisfied(wanted: Stamp) -> bool:
    """Tell whether `.venv` is what is wished for."""
    found = read_stamp()
    return found is not None and found.satisfies(wanted) and not UNFINISHED.exists()


def read_stamp() -> Stamp | None:
    """Return what is installed, None when that is not known."""
    try:
        found = json.loads(STAMP.read_text(encoding="utf-8"))
        return Stamp(**found | {"extras": tuple(found["extras"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def with_lock(wanted: Stamp) -> None:
    """Install unless all is there; of two that start at once the second waits."""
    handle = os.open(PROJECT, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if is_satisfied(wanted):
            return
        install(wanted)
    finally:
        os.close(handle)


def install(wanted: Stamp) -> None:
    """Make `.venv` and install into it; the stamp is written last."""
    found = read_stamp()
    if found is not None and found.folder == wanted.folder:
        # What an earlier `make setup` has added stays.
        kept = {*found.extras} - {"engine"}
        wanted = replace(wanted, extras=tuple(sorted({*wanted.extras} | kept)))
    build = torch_build(wanted.torch)
    require_room(build)
    prepare_folder(wanted, found)
    STAMP.unlink(missing_ok=True)
    LOG.write_text("", encoding="utf-8")
    if build != "none":
        install_torch(build)
    say("Installing the service …", "正在安装服务 …")
    extras = f"[{','.join(wanted.extras)}]" if wanted.extras else ""
    run_pip("-c", "constraints.txt", "-e", f".{extras}")
    STAMP.write_text(json.dumps(asdict(wanted)), encoding="utf-8")
    say("Installed.", "安装完成。")


def torch_build(choice: str) -> str:
    """Return `cpu`, `cuda` or `none`; `auto` looks for an NVIDIA GPU."""
    if choice != "auto":
        return choice
    if has_nvidia_gpu():
        say("NVIDIA GPU found: the GPU build of torch", "检测到 NVIDIA GPU：安装 GPU 版 torch")
        return "cuda"
    say(
        "No NVIDIA GPU: the CPU build of torch (GEN_VIDEO_TORCH=cuda chooses the other)",
        "未检测到 NVIDIA GPU：安装 CPU 版 torch（GEN_VIDEO_TORCH=cuda 可改选）",
    )
    return "cpu"


def has_nvidia_gpu() -> bool:
    """Tell whether the NVIDIA driver answers and lists a device."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False
    try:
        listed = subprocess.run(
            [program, "-L"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU" in listed.stdout


def require_room(build: str) -> None:
    """Check that the disk can take the installation."""
    free, wanted = shutil.disk_usage(PROJECT).free / GIB, ROOM_GIB[build]
    if free < wanted:
        raise InstallError(
            f"Only {free:.1f} GiB are free at {PROJECT}, the installation needs {wanted} GiB. "
            "Free some space",
            f"{PROJECT} 所在磁盘仅剩 {free:.1f} GiB，安装需要 {wanted} GiB，请先清理空间",
        )


def prepare_folder(wanted: Stamp, found: Stamp | None) -> None:
    """Make `.venv`, or make it anew when it is broken, moved, unfinished or of another Python."""
    is_usable = (
        found is not None
        and (found.folder, found.python) == (wanted.folder, wanted.python)
        and not UNFINISHED.exists()
        and PYTHON.exists()
    )
    if is_usable:
        return
    say("Creating .venv …", "正在创建 .venv …")
    try:
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=True).create(FOLDER)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InstallError(
            f"Cannot create {FOLDER}: {error}. Is the venv package of this Python installed?",
            f"无法创建 {FOLDER}：{error}。请确认已安装该 Python 的 venv 组件",
        ) from error


def install_torch(build: str) -> None:
    """Install torch alone, from its own index where one is named, so that the rest finds it."""
    pinned = pinned_torch()
    url = os.environ.get("GEN_VIDEO_TORCH_INDEX_URL", "").strip()
    options = ["--no-deps", *(["--index-url", url] if url else [])]
    if build == "cuda" and "+cpu" in installed_torch():
        options.append("--force-reinstall")  # to pip both builds are the same version
    say(f"Installing {pinned} ({build}) …", f"正在安装 {pinned}（{build}）…")
    if build == "cpu" and (platform.system(), platform.machine()) == ("Linux", "x86_64"):
        try:
            run_pip(*options, f"{pinned}+cpu" if "==" in pinned else pinned)
        except MissingPackageError:
            say(
                "The index offers no CPU build; taking the default one, several GB larger",
                "软件源未提供 CPU 版，改用默认版本（大数 GB）",
            )
            require_room("cuda")
        else:
            return
    run_pip(*options, pinned)
    if build == "cuda" and "+cpu" in installed_torch():
        say("Note: the index gave the CPU build of torch", "注意：软件源提供的是 CPU 版 torch")


def pinned_torch() -> str:
    """Return `torch==…` as constraints.txt says, plain `torch` while the file is being remade."""
    lines = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next((line.strip() for line in lines if line.startswith("torch==")), "torch")


def installed_torch() -> str:
    """Return the version of torch in `.venv`, empty when there is none."""
    found = next(FOLDER.glob("lib/python*/site-packages/torch-*.dist-info"), None)
    return found.name.split("-")[1] if found else ""


class MissingPackageError(InstallError):
    """The index has no such version for this machine."""


def run_pip(*arguments: str) -> None:
    """Run `pip install`, show what matters, and explain a failure in one line."""
    command = [str(PYTHON), "-m", "pip", "install", "--no-input", "--retries", "3"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", *arguments]
    # A user's settings for other installations must not lead this one elsewhere.
    environment = os.environ | {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with process, LOG.open("a", encoding="utf-8") as log:
        lines = list(follow(process.stdout or (), log))
    if process.returncode != 0:
        raise explain(lines)
    UNFINISHED.unlink(missing_ok=True)


def follow(lines: Iterable[str], log: TextIO) -> Iterator[str]:
    """Pass pip's lines on; write them down, show the large downloads, mark where files change."""
    for line in lines:
        log.write(line)
        if "Installing collected packages" in line:
            UNFINISHED.touch()
            count = line.count(",") + 1
            say(f"  unpacking {count} packages …", f"正在解包 {count} 个组件 …")
        show_download(line)
        yield line


def show_download(line: str) -> None:
    """Show a download that takes a while."""
    match = re.search(
        r"(?:Downloading|Processing) (?:\S*/)?(\S+?)-\d\S* \(([\d.]+) (MB|GB)\)", line
    )
    if match and (match[3] == "GB" or float(match[2]) >= LARGE_MB):
        say(f"  downloading {match[1]} ({match[2]} {match[3]})", "下载中")


def explain(lines: Sequence[str]) -> InstallError:
    """Turn pip's output into one line that says what to do."""
    text = "".join(lines)
    where = f"({LOG})"
    if "No space left on device" in text:
        free = shutil.disk_usage(PROJECT).free / GIB
        return InstallError(
            f"The disk is full: {free:.1f} GiB free. Free some space and start again {where}",
            f"磁盘已满：剩余 {free:.1f} GiB。请清理空间后重新启动 {where}",
        )
    if any(sign in text for sign in NETWORK_SIGNS):
        return InstallError(
            "No network: pip cannot reach its package index. Check the connection, the proxy or "
            f"`pip config list` {where}",
            f"网络不通：pip 无法访问软件源。请检查网络、代理或 pip config list {where}",
        )
    missing = re.search(r"No matching distribution found for (\S+)", text)
    if missing:
        return MissingPackageError(
            f"The package index has no {missing[1]} for Python {platform.python_version()} on "
            f"{platform.machine()} {where}",
            f"软件源没有适用于 Python {platform.python_version()}（{platform.machine()}）的 "
            f"{missing[1]} {where}",
        )
    if "ResolutionImpossible" in text:
        return MissingPackageError(
            "No set of versions fits: a constraint of this machine may be in the way, see "
            f"`pip config list` {where}",
            f"没有可用的版本组合：本机的 pip 约束可能与之冲突，请看 pip config list {where}",
        )
    errors = [line.strip() for line in lines if line.startswith(("ERROR:", "error:"))]
    reason = (errors or [line.strip() for line in lines if line.strip()] or ["?"])[-1][:300]
    return InstallError(f"pip failed: {reason} {where}", f"pip 安装失败：{reason} {where}")


if __name__ == "__main__":
    sys.exit(main())
