"""The command line as a user's tool: real processes against a real service."""

import json
import re
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.terminals import Shell
from tests.journeys.service import TEST_KEY, RunningService

pytestmark = pytest.mark.journey

SMALL = ("--width", "64", "--height", "64", "--steps", "4")
COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")
JOB = re.compile(r"job_\w+")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with RunningService(tmp_path_factory.mktemp("service")) as running:
        made = running.run_command("plans", "set", "free", "--images-per-day", "500")
        assert made.returncode == 0, made.stderr
        yield running


@pytest.fixture
def stranger(tmp_path: Path) -> Shell:
    """Return the shell of somebody who is not logged in."""
    return Shell(home=tmp_path)


@pytest.fixture
def shell(service: RunningService, tmp_path: Path) -> Shell:
    """Return the shell of somebody whose environment names the service and a key."""
    variables = {"GEN_VIDEO_BASE_URL": service.url, "GEN_VIDEO_API_KEY": TEST_KEY}
    return Shell(home=tmp_path, variables=variables)


def test_a_login_is_kept_for_its_owner_alone(service: RunningService, stranger: Shell) -> None:
    logged_in = stranger.run("login", "--base-url", f"{service.url}/", typed=f"{TEST_KEY}\n")

    assert logged_in.code == 0, logged_in.err
    assert "test_user" in logged_in.err
    assert TEST_KEY not in logged_in.err + logged_in.out
    assert stat.S_IMODE(stranger.logins.stat().st_mode) == 0o600
    assert stranger.run("quota").code == 0
    assert stranger.run("logout").code == 0
    assert TEST_KEY not in stranger.logins.read_text(encoding="utf-8")
    assert stranger.run("quota").code == 3


def test_a_key_is_asked_for_without_showing_it(service: RunningService, stranger: Shell) -> None:
    shown = stranger.run_on_terminal("login", "--base-url", service.url, typed=TEST_KEY)

    assert shown.code == 0, shown.out
    assert "API key" in shown.out
    assert TEST_KEY not in shown.out


@pytest.mark.parametrize("key", ["wrong-key", "", "雪山"])
def test_a_key_that_the_service_does_not_take_is_not_kept(
    service: RunningService, stranger: Shell, key: str
) -> None:
    refused = stranger.run("login", "--base-url", service.url, "--key", "-", typed=f"{key}\n")

    assert refused.code == (3 if key == "wrong-key" else 2)
    assert not stranger.logins.exists()
    assert "Traceback" not in refused.err


def test_a_kept_key_goes_to_its_own_service_alone(service: RunningService, stranger: Shell) -> None:
    stranger.run("login", "--base-url", service.url, "--key", TEST_KEY)
    other = service.url.replace("127.0.0.1", "localhost")

    elsewhere = stranger.run("quota", "--base-url", other)

    assert elsewhere.code == 3
    assert f"gen-video login --base-url {other}" in elsewhere.err


def test_the_environment_goes_before_the_login(service: RunningService, stranger: Shell) -> None:
    stranger.run("login", "--base-url", service.url, "--key", TEST_KEY)

    other = stranger.run("quota", "--json", GEN_VIDEO_API_KEY="demo-key-456")

    assert json.loads(other.out)["user_id"] == "demo_user"


@pytest.mark.parametrize(
    "text", ["{", '{"current": 5, "keys": {}}', '{"current": null, "keys": {"http://a": 7}}']
)
def test_a_damaged_login_file_is_one_line(stranger: Shell, text: str) -> None:
    stranger.logins.parent.mkdir(parents=True)
    stranger.logins.write_text(text, encoding="utf-8")

    outcome = stranger.run("quota")

    assert outcome.code == 1
    assert str(stranger.logins) in outcome.err
    assert len(outcome.lines) == 1


def test_a_name_that_no_file_can_have_is_refused_before_anything_is_made(shell: Shell) -> None:
    before = shell.run("quota", "--json").out

    outcome = shell.run("generate", "湖", "--remote", "-o", f"{'b' * 300}.png", *SMALL)

    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert shell.run("quota", "--json").out == before


def test_a_prompt_becomes_files(shell: Shell) -> None:
    outcome = shell.run("generate", "雪山 sleep=0.3", "--remote", "-n", "2", "-o", "a.webp", *SMALL)

    assert outcome.code == 0, outcome.err
    assert outcome.out.split() == ["a-1.webp", "a-2.webp"]
    with Image.open(shell.home / "a-2.webp") as picture:
        assert (picture.format, picture.size) == ("WEBP", (64, 64))
    assert "Done / 完成  100 %" in outcome.err
    assert not COLOUR.search(outcome.err)


def test_an_address_alone_asks_for_the_service(service: RunningService, stranger: Shell) -> None:
    outcome = stranger.run(
        "generate", "sea", "--base-url", service.url, "--json", *SMALL, GEN_VIDEO_API_KEY=TEST_KEY
    )

    done = json.loads(outcome.out)
    assert (done["status"], done["files"]) == ("succeeded", ["picture.png"])


def test_a_login_alone_moves_no_work_to_the_service(shell: Shell) -> None:
    before = json.loads(shell.run("jobs", "list", "--json").out)

    outcome = shell.run(
        "generate", "sea", *SMALL, GEN_VIDEO_ENABLE_TEST_MODEL="1",
        GEN_VIDEO_DEFAULT_IMAGE_MODEL="test-double", GEN_VIDEO_DATA_DIR=str(shell.home / "data"),
    )  # fmt: skip

    assert outcome.code == 0, outcome.err
    assert (shell.home / "picture.png").exists()
    assert json.loads(shell.run("jobs", "list", "--json").out) == before


def test_scenes_become_a_video(shell: Shell) -> None:
    Image.new("RGB", (64, 64), "red").save(shell.home / "red.png")

    outcome = shell.run(
        "generate", "dawn", "--remote", "--scene", "night", "--frames", "8", "--fps", "8",
        "--model", "test-double", "--image", "red.png", "-o", "clip.mp4", *SMALL,
    )  # fmt: skip

    assert outcome.code == 0, outcome.err
    assert (shell.home / "clip.mp4").stat().st_size > 0
    (job_id,) = set(JOB.findall(outcome.err))
    scenes = json.loads(shell.run("jobs", "show", job_id, "--json").out)["input"]["scenes"]
    assert [(scene["prompt"], scene["has_image"]) for scene in scenes] == [
        ("dawn", True),
        ("night", False),
    ]


def test_a_job_is_left_watched_saved_and_erased(shell: Shell) -> None:
    left = shell.run("generate", "sea sleep=0.5", "--remote", "--no-wait", *SMALL)
    job_id = left.out.strip()

    watched = shell.run("watch", job_id, "--json")
    saved = shell.run("download", job_id, "-o", "pictures")
    erased = shell.run("jobs", "delete", job_id, "--json")

    events = [json.loads(line) for line in watched.out.splitlines()]
    assert [watched.code, saved.code, erased.code] == [0, 0, 0]
    assert events[-1]["event"] == "succeeded"
    assert [event["number"] for event in events] == sorted(event["number"] for event in events)
    assert saved.out.strip() == f"pictures/{job_id}.png"
    assert json.loads(erased.out)["outputs"][0]["state"] == "deleted"
    assert shell.run("download", job_id).code != 0


def test_a_job_is_listed_shown_and_canceled(shell: Shell) -> None:
    job_id = shell.run("generate", "sleep=30", "--remote", "--no-wait", *SMALL).out.strip()

    listed = shell.run("jobs", "list", "-n", "1")
    shown = shell.run("jobs", "show", job_id)
    canceled = shell.run("jobs", "cancel", job_id)
    watched = shell.run("watch", job_id)

    assert job_id in listed.out
    assert "sleep=30" in shown.out
    assert canceled.code == 0
    assert watched.code == 1
    rows = json.loads(shell.run("jobs", "list", "--status", "canceled", "--json").out)
    assert rows[0]["id"] == job_id


def test_a_file_that_cannot_be_saved_is_still_there(shell: Shell) -> None:
    (shell.home / "picture.png").mkdir()
    (shell.home / "picture.png" / "something").touch()
    taken = shell.run("generate", "sea", "--remote", "--json", *SMALL)
    job_id = json.loads(taken.out)["id"]

    refused = shell.run("download", job_id, "-o", "picture.png/something/deeper")
    saved = shell.run("download", job_id, "-o", "other.png")

    assert (refused.code, saved.code) == (1, 0)
    assert "Traceback" not in refused.err
    assert json.loads(taken.out)["files"] == [f"picture.png/{job_id}.png"]


def test_ctrl_c_leaves_the_job_and_says_how_to_come_back(shell: Shell) -> None:
    process = shell.start("generate", "sleep=30", "--remote", *SMALL)
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=20)[1]

    (job_id,) = set(JOB.findall(first + rest))
    assert process.returncode == 130
    assert f"gen-video watch {job_id}" in rest
    assert "Traceback" not in rest
    assert json.loads(shell.run("jobs", "show", job_id, "--json").out)["status"] != "canceled"
    shell.run("jobs", "cancel", job_id)


@pytest.mark.parametrize(
    ("arguments", "variables", "code"),
    [
        (("generate", "fail=9", "--remote", *SMALL), {}, 1),
        (("generate", "sea", "--remote", "--width", "63"), {}, 2),
        (("generate", "sea", "--remote", "-o", "x.bmp"), {}, 2),
        (("generate", "sea", "--remote", "-o", "no/x.png"), {}, 2),
        (("generate", "sea", "--remote", "--image", "missing.png"), {}, 2),
        (("jobs", "list", "--status", "asleep"), {}, 2),
        (("quota",), {"GEN_VIDEO_API_KEY": "wrong"}, 3),
        (("watch", "job_nothing"), {}, 5),
        (("watch", "job_nothing", "--json"), {}, 5),
        (("jobs", "cancel", "job_nothing"), {}, 5),
        (("webhooks", "delete", "whk_nothing"), {}, 5),
        (("download", "../x"), {}, 2),
    ],
)
def test_exit_codes_tell_what_went_wrong(
    shell: Shell, arguments: tuple[str, ...], variables: dict[str, str], code: int
) -> None:
    outcome = shell.run(*arguments, **variables)

    assert outcome.code == code, outcome.err
    assert "Traceback" not in outcome.err
    assert "goes on" not in outcome.err


def test_a_used_up_quota_has_a_code_of_its_own(shell: Shell, service: RunningService) -> None:
    service.run_command("users", "create", "poor", "--plan", "free")
    key = service.run_command("keys", "create", "poor", "--images-per-day", "0").stdout.strip()

    outcome = shell.run("generate", "sea", "--remote", "--json", GEN_VIDEO_API_KEY=key)

    assert outcome.code == 4, outcome.err
    assert json.loads(outcome.out)["error"]["code"] == "quota_exceeded"


def test_a_service_that_is_away_has_a_code_of_its_own(stranger: Shell) -> None:
    started = time.monotonic()

    outcome = stranger.run(
        "quota", GEN_VIDEO_BASE_URL="http://127.0.0.1:1", GEN_VIDEO_API_KEY="key"
    )

    assert outcome.code == 6
    assert "无法连接服务" in outcome.err
    assert time.monotonic() - started < 15


def test_errors_are_in_the_language_of_the_locale(shell: Shell) -> None:
    chinese = shell.run("watch", "job_nothing", LANG="zh_CN.UTF-8")
    english = shell.run("watch", "job_nothing", LANG="en_GB.UTF-8")

    assert "任务不存在" in chinese.err
    assert "no such job" in english.err


def test_a_terminal_shows_a_bar_in_colours(shell: Shell) -> None:
    wait = ("generate", "sea sleep=0.5", "--remote", *SMALL)

    plain = shell.run_on_terminal(*wait, NO_COLOR="1")
    coloured = shell.run_on_terminal(*wait)

    assert plain.code == coloured.code == 0
    assert "━" in plain.out
    assert not COLOUR.search(plain.out.replace("\x1b[1m", ""))
    assert COLOUR.search(coloured.out)
    assert "4/4" in coloured.out


def test_a_webhook_is_added_listed_tried_and_removed(shell: Shell) -> None:
    created = shell.run("webhooks", "create", "https://example.org/hook", "--json")
    webhook = json.loads(created.out)

    tried = shell.run("webhooks", "test", webhook["id"])
    delivered = shell.run("webhooks", "deliveries", webhook["id"], "--json")
    removed = shell.run("webhooks", "delete", webhook["id"])

    assert webhook["secret"].startswith("whsec_")
    assert tried.code == 0, tried.err
    assert [one["event_type"] for one in json.loads(delivered.out)] == ["webhook.test"]
    assert removed.code == 0, removed.err
    assert json.loads(shell.run("webhooks", "list", "--json").out) == []
