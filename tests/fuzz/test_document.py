"""What the service does with anything that its OpenAPI document allows, and with what it does not.

Every operation gets valid and invalid requests: none may end in an error of ours, and every answer
must be one that the document promises. More of them: `make fuzz`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.plans import ample_plan
from gen_video.settings import Settings
from tests.journeys.load import make_accounts
from tests.journeys.service import RunningService

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = os.environ.get("GEN_VIDEO_TEST_FUZZ_EXAMPLES", "40")  # noqa: TID251 - a setting of the tests
SEED = os.environ.get("GEN_VIDEO_TEST_FUZZ_SEED", "20261125")  # noqa: TID251 - as above
SECONDS_PER_EXAMPLE, SECONDS = 20, 200
SETTINGS = {
    "DEFAULT_VIDEO_MODEL": "test-double",
    "RATE_LIMITS": "false",
    "SYNC_WAIT_SECONDS": "5",
    "WEBHOOK_SENDERS": "0",  # addresses are made up: nothing is sent to them
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with RunningService(tmp_path_factory.mktemp("service"), settings=SETTINGS) as running:
        yield running


@pytest.mark.timeout(SECONDS + SECONDS_PER_EXAMPLE * int(EXAMPLES))
def test_every_operation_keeps_to_the_document(service: RunningService, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, data_dir=service.folder / "data")
    (key,) = make_accounts(settings, ample_plan("ample"), 1)

    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
            *("run", f"{service.url}/openapi.json", "--header", f"X-API-Key: {key}"),
            *("--max-examples", EXAMPLES, "--seed", SEED),
            *("--continue-on-failure", "--warnings", "off", "--no-color"),
            *("--generation-database", "none"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS + SECONDS_PER_EXAMPLE * int(EXAMPLES),
        check=False,
    )

    print(f"seed {SEED}, {EXAMPLES} examples", done.stdout[-1500:])  # noqa: T201 - for a run with -s
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    assert "request_crashed" not in service.log_file.read_text(encoding="utf-8", errors="replace")
