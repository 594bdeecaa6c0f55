"""The real SDKs, each in a folder of its own: exact versions, installed once, not among ours."""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CACHE = PROJECT / ".cache" / "sdk"
PINS = Path(__file__).with_name("pins")
NPM = Path(__file__).with_name("npm")
DONE = "installed"
INSTALL_SECONDS = 240


def python_sdk(major: int) -> Path:
    """Return a folder for PYTHONPATH with one major of the Python SDK."""
    pins = PINS / f"openai-{major}.txt"

    def install(folder: Path) -> None:
        _run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
                *("--disable-pip-version-check", "--target", str(folder), "-r", str(pins)),
            ]
        )

    return _installed(f"openai-{major}", [pins], install)


def npm_sdk() -> Path:
    """Return a folder that has the JavaScript SDK among its `node_modules`."""
    names = ("package.json", "package-lock.json")

    def install(folder: Path) -> None:
        for name in names:
            shutil.copy(NPM / name, folder)
        npm = shutil.which("npm") or "npm"
        _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)])

    return _installed("npm", [NPM / name for name in names], install)


def _installed(name: str, pins: list[Path], install: Callable[[Path], None]) -> Path:
    """Install into a folder named after the pins, unless that was done before."""
    mark = hashlib.sha256(b"".join(pin.read_bytes() for pin in pins)).hexdigest()[:12]
    folder = CACHE / f"{name}-{mark}"
    with _locked(name):
        if not (folder / DONE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            install(folder)
            (folder / DONE).touch()
    return folder


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Let one process install at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
