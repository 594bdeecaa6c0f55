"""The TypeScript client: made of the document, built strictly, and used against a real service."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.plans import ample_plan
from gen_video.settings import Settings
from tests.journeys.load import make_accounts
from tests.journeys.service import RunningService
from tests.services import IS_CI

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "clients" / "typescript"
CACHE = PROJECT / ".cache"
LOCK = FOLDER / "package-lock.json"
SECONDS = 240


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the client's folder."""
    return subprocess.run(
        command,
        cwd=FOLDER,
        env=dict(os.environ) | variables,  # noqa: TID251 - for a child
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def require(*command: str, **variables: str) -> str:
    """Run a command in the client's folder, and return what it prints; it must succeed."""
    done = run(*command, **variables)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    """Install what the lock file names, unless that was done before."""
    if shutil.which("npm") is None:
        if IS_CI:
            pytest.fail("npm is missing", pytrace=False)
        pytest.skip("npm is missing")
    modules = FOLDER / "node_modules"
    mark = modules / f".{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "typescript.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists():
            require("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
            mark.touch()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    settings = {"DEFAULT_VIDEO_MODEL": "test-double", "JOB_ATTEMPTS": "2"}
    with RunningService(tmp_path_factory.mktemp("service"), settings=settings) as running:
        yield running


def test_the_lock_file_names_no_server() -> None:
    """Whoever installs it does so from the registry of their choice."""
    packages = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]

    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert all("integrity" in entry for name, entry in packages.items() if name)


def test_versions_are_exact() -> None:
    package = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))

    versions = [*package["dependencies"].values(), *package["devDependencies"].values()]

    assert [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


def test_the_types_are_the_ones_of_the_document() -> None:
    """`make typescript` writes them anew."""
    require("npm", "run", "--silent", "generate", "--", "--check")


@pytest.fixture(scope="module")
def built() -> Path:
    """Build the client and its tests as strictly as the compiler can; return where they are."""
    shutil.rmtree(FOLDER / "build", ignore_errors=True)
    require("npm", "run", "--silent", "build:test")
    return FOLDER / "build"


def test_the_client_can_be_imported(built: Path) -> None:
    module = json.dumps(str(built / "src" / "index.js"))

    said = require(
        "node",
        "--input-type=module",
        "--eval",
        f"import * as client from {module}; console.log(Object.keys(client).join())",
    )

    assert {"createClient", "ApiError", "verifyWebhook"} <= set(said.strip().split(","))


@pytest.mark.usefixtures("built")
def test_the_client_does_what_it_says_against_a_real_service(service: RunningService) -> None:
    settings = Settings(_env_file=None, data_dir=service.folder / "data")
    (key,) = make_accounts(settings, ample_plan("ample"), 1)

    printed = require("npm", "run", "test", GEN_VIDEO_TEST_URL=service.url, GEN_VIDEO_TEST_KEY=key)

    assert "# fail 0" in printed
    assert "# skipped 0" in printed
    assert int(re.findall(r"^# pass (\d+)$", printed, re.MULTILINE)[0]) >= 18
