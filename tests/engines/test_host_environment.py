"""What the child sees of the environment: a short list of names, and no secret."""

import pytest

from gen_video.engines.child_process import CHILD_ENVIRONMENT, child_environment
from gen_video.engines.makes import ChildConfig

SECRETS = {
    "GEN_VIDEO_DATABASE_URL": "postgresql://u:p@h/d",
    "GEN_VIDEO_ADMIN_KEY": "key",
    "gen_video_admin_key": "key",
    "AWS_SECRET_ACCESS_KEY": "key",
    "PYTHONPATH": "/elsewhere",
    "PYTHONSTARTUP": "/elsewhere.py",
    "LD_PRELOAD": "/elsewhere.so",
}


def test_secrets_of_the_service_stay_outside() -> None:
    seen = child_environment({**SECRETS, "PATH": "/usr/bin"}, ChildConfig())

    assert seen.keys() & SECRETS.keys() == set()
    assert seen["PATH"] == "/usr/bin"


@pytest.mark.parametrize("name", CHILD_ENVIRONMENT)
def test_what_the_child_needs_is_passed_on(name: str) -> None:
    assert child_environment({name: "value"}, ChildConfig())[name] == "value"


def test_threads_wait_without_spinning() -> None:
    seen = child_environment({"OMP_WAIT_POLICY": "ACTIVE"}, ChildConfig())

    assert seen["OMP_WAIT_POLICY"] == "PASSIVE"


def test_libraries_run_no_foreign_code_and_report_nothing() -> None:
    seen = child_environment({"DIFFUSERS_DISABLE_REMOTE_CODE": "0"}, ChildConfig())

    assert seen["DIFFUSERS_DISABLE_REMOTE_CODE"] == "1"
    assert seen["HF_HUB_DISABLE_TELEMETRY"] == "1"


@pytest.mark.parametrize(("is_offline", "expected"), [(True, "1"), (False, None)])
def test_hubs_are_left_alone_when_told_so(*, is_offline: bool, expected: str | None) -> None:
    config = ChildConfig(is_hub_offline=is_offline)

    assert child_environment({}, config).get("HF_HUB_OFFLINE") == expected


@pytest.mark.parametrize(("threads", "expected"), [(3, "3"), (0, None)])
def test_threads_are_counted_when_told_so(threads: int, expected: str | None) -> None:
    assert child_environment({}, ChildConfig(threads=threads)).get("OMP_NUM_THREADS") == expected
