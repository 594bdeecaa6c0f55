"""Logging as a whole: one event is one line of JSON, whoever logged it and whatever it says."""

import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from gen_video.telemetry.logs import (
    bind_request_id,
    bound,
    configure_logging,
    current_request_id,
)

NASTY = "a\nb\r\x1b[2J\u202e\u2028\x85\ud800" + '"} {"event": "forged"'


def fail(message: str) -> None:
    local_variable = "can" + "ary"
    raise ValueError(message + local_variable[:0])


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook
    yield
    logging.captureWarnings(capture=False)
    root.handlers, root.level = before, level
    sys.excepthook, threading.excepthook = hooks
    structlog.reset_defaults()


def configure(*, level: str = "INFO", json: bool = True, is_logging_prompts: bool = False) -> None:
    configure_logging(level=level, json=json, process="web", is_logging_prompts=is_logging_prompts)


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.split("\n") if line]


def test_an_event_is_a_line_of_json_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    structlog.get_logger("gen_video.worker").info("job_finished", job_id="job_1", seconds=1.5)

    (event,) = events(capsys)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "job_finished",
        "job_id": "job_1",
        "seconds": 1.5,
        "level": "info",
        "logger": "gen_video.worker",
        "process": "web",
    }


@pytest.mark.parametrize("name", ["uvicorn.error", "sqlalchemy.pool", "any.library"])
def test_events_of_libraries_look_the_same(capsys: pytest.CaptureFixture[str], name: str) -> None:
    configure()

    logging.getLogger(name).warning(
        "Started %s", "server", extra={"color_message": "\x1b[1mx", "port": 8000}
    )

    (event,) = events(capsys)
    del event["timestamp"]
    assert event == {
        "event": "Started server",
        "port": 8000,
        "level": "warning",
        "logger": name,
        "process": "web",
    }


def test_handlers_that_uvicorn_laid_are_taken_away(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("uvicorn").addHandler(logging.StreamHandler(sys.stderr))
    configure()

    logging.getLogger("uvicorn.error").info("Application startup complete.")
    logging.getLogger("uvicorn.access").info('GET "/x?api_key=canary" 200')

    assert [event["event"] for event in events(capsys)] == ["Application startup complete."]


@pytest.mark.parametrize("field", ["event", "value"])
def test_hostile_text_stays_on_its_line_and_reads_back(
    capsys: pytest.CaptureFixture[str], field: str
) -> None:
    configure()
    log = structlog.get_logger("test")

    log.info(NASTY) if field == "event" else log.info("x", value=NASTY)

    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert len(text.splitlines()) == 1
    assert not set(text.rstrip("\n")) & set("\x1b\u202e\u2028\x85\r")
    assert json.loads(text)[field] == NASTY


def test_hostile_text_stays_on_its_line_for_people_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure(json=False)

    structlog.get_logger("test").info(NASTY, value=NASTY, deep={"x": [NASTY]})

    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1
    assert "\u202e" not in text
    assert "[2J" in text
    assert "\x1b[2J" not in text


def test_an_exception_is_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    secret = "gv_live_0123456789ab_canarycanarycanary"

    try:
        fail(f"bad key {secret}")
    except ValueError:
        structlog.get_logger("ours").exception("it_broke")
        logging.getLogger("theirs").exception("it broke")

    for event in events(capsys):
        assert event["exception"].startswith("Traceback (most recent call last)")
        assert event["exception"].endswith("ValueError: bad key gv_live_***")
        assert event["level"] == "error"


def test_people_see_a_traceback_in_lines_without_local_variables(
    capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    configure(json=False)

    try:
        fail("broken")
    except ValueError:
        structlog.get_logger("ours").exception("it_broke")

    text = capsys.readouterr().err
    assert "\nTraceback (most recent call last):\n" in text
    assert "canary" not in text
    assert not recwarn.list


def test_prompts_are_logged_only_when_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    structlog.get_logger("test").info("job_accepted", prompt="一个美丽的风景")
    configure(is_logging_prompts=True)
    structlog.get_logger("test").info("job_accepted", prompt="一个美丽的风景")

    assert [event["prompt"] for event in events(capsys)] == ["***", "一个美丽的风景"]


def test_secrets_do_not_reach_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    key = "gv_live_0123456789ab_canarycanarycanary"

    structlog.get_logger("test").info(f"key {key}", api_key=key, note=key)
    logging.getLogger("library").warning("called with %r", {"key": key})

    assert "canary" not in capsys.readouterr().err


def test_events_below_the_level_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    configure(level="WARNING")

    structlog.get_logger("test").info("quiet")
    structlog.get_logger("test").warning("loud")

    assert [event["event"] for event in events(capsys)] == ["loud"]


def test_a_request_id_is_on_every_event_of_its_request(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    assert current_request_id() is None

    with bind_request_id("req_1"), bound(job_id="job_1"):
        assert current_request_id() == "req_1"
        structlog.get_logger("ours").info("inside")
        logging.getLogger("theirs").warning("inside")
    structlog.get_logger("ours").info("outside")

    first, second, third = events(capsys)
    assert first["request_id"] == second["request_id"] == "req_1"
    assert first["job_id"] == "job_1"
    assert "request_id" not in third
    assert current_request_id() is None


def test_request_ids_do_not_cross_threads() -> None:
    seen: list[str | None] = []

    with bind_request_id("req_1"):
        thread = threading.Thread(target=lambda: seen.append(current_request_id()))
        thread.start()
        thread.join()

    assert seen == [None]


def test_warnings_become_events(capsys: pytest.CaptureFixture[str]) -> None:
    configure()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old\nways", stacklevel=1)

    (event,) = events(capsys)
    assert event["level"] == "warning"
    assert "old\nways" in event["event"]


def test_what_nobody_caught_is_one_event_as_well() -> None:
    script = """
import threading
from gen_video.telemetry.logs import configure_logging

configure_logging(level="INFO", json=True, process="worker")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise ValueError("at the end")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=20
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [line["event"] for line in lines] == ["uncaught_exception"] * 2
    assert "ZeroDivisionError" in lines[0]["exception"]
    assert "at the end" in lines[1]["exception"]
    assert {line["level"] for line in lines} == {"critical"}


def test_lines_of_many_threads_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    configure()
    log = structlog.get_logger("test")

    def write() -> None:
        for number in range(100):
            log.info("event", number=number, text="x" * 500)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(events(capsys)) == 400
