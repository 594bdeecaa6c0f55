"""What can be wrong before a service starts: one line each, and nothing was started."""

import os
import socket
from pathlib import Path

import pytest

from gen_video.cli import preflight
from gen_video.settings import find_unknown_names
from tests.cli.conftest import Run


def test_a_nearly_full_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: usage)

    with pytest.raises(preflight.DiskFullError, match="10 MB"):
        preflight.check_folder(tmp_path, setting="GEN_VIDEO_DATA_DIR")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(preflight.FolderUnusableError, match="GEN_VIDEO_DATA_DIR"):
        preflight.check_folder(tmp_path / "data", setting="GEN_VIDEO_DATA_DIR")


def test_only_one_service_holds_a_data_folder(tmp_path: Path) -> None:
    lock = preflight.take_lock(tmp_path)

    with pytest.raises(preflight.AlreadyRunningError):
        preflight.take_lock(tmp_path)

    os.close(lock)
    os.close(preflight.take_lock(tmp_path))


def test_a_port_in_use_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "BIND_PATIENCE_SECONDS", 0.0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        with pytest.raises(preflight.PortInUseError):
            preflight.open_listener("127.0.0.1", other.getsockname()[1])


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(preflight.AddressUnusableError):
        preflight.open_listener("192.0.2.1", 8000)


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("DATABASE_URL", "no url", "GEN_VIDEO_DATABASE_URL"),
        ("DATABASE_URL", "postgresql+psycopg://u:p@127.0.0.1:1/x", "GEN_VIDEO_DATABASE_URL"),
        ("DEFAULT_IMAGE_MODEL", "unknown", "unknown"),
        ("MODELS_FILE", "missing.toml", "missing.toml"),
        ("DATA_DIR", "/proc/nowhere", "GEN_VIDEO_DATA_DIR"),
        ("HOST", "192.0.2.1", "GEN_VIDEO_HOST"),
        ("PORT", "zero", "GEN_VIDEO_PORT"),
    ],
)
def test_serve_refuses_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, words: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GEN_VIDEO_PORT", str(probe.getsockname()[1]))
    monkeypatch.setenv(f"GEN_VIDEO_{setting}", value)

    outcome = run("serve")

    assert outcome.code == 1
    [line] = outcome.lines
    assert words in line
    assert " / " in line


def test_serve_refuses_a_missing_model_folder(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    catalogue = tmp_path / "models.toml"
    catalogue.write_text(
        '[[model]]\nid = "gone"\ntitle_en = "x"\ntitle_zh = "x"\nsource = "models/gone"\n'
        'hub = "local"\nlicence = "x"\nenabled = true\n'
        "defaults = { width = 512, height = 512, num_inference_steps = 4, guidance_scale = 1.0 }\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("GEN_VIDEO_PORT", str(probe.getsockname()[1]))
    monkeypatch.setenv("GEN_VIDEO_MODELS_FILE", str(catalogue))
    monkeypatch.setenv("GEN_VIDEO_DEFAULT_IMAGE_MODEL", "gone")

    outcome = run("serve")

    assert outcome.code == 1
    assert "gone" in outcome.lines[-1]


@pytest.mark.parametrize("setting", ["GEN_VIDEO_ENABLED_MODELS", "GEN_VIDEO_PRELOAD_MODELS"])
def test_serve_refuses_a_model_that_is_nowhere(
    run: Run, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv(setting, "nope")

    outcome = run("serve")

    assert outcome.code == 1
    assert f"{setting} names nope" in outcome.err


def test_serve_refuses_a_device_that_is_none(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEN_VIDEO_DEVICE", "toaster")

    outcome = run("serve")

    assert outcome.code == 1
    assert "GEN_VIDEO_DEVICE" in outcome.err


def test_a_settings_file_of_another_encoding_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("GEN_VIDEO_HOST=本机".encode("utf-16"))

    outcome = run("settings")

    assert outcome.code == 1
    assert "UTF-8" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_name_that_is_no_setting_is_found(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN_VIDEO_PORRT", "8001")
    monkeypatch.setenv("GEN_VIDEO_TORCH", "cpu")
    (tmp_path / ".env").write_text("GEN_VIDEO_HOSTT=x\nGEN_VIDEO_HOST=y\nOTHER=z\n")

    assert find_unknown_names() == ["GEN_VIDEO_HOSTT", "GEN_VIDEO_PORRT"]


def test_the_database_is_nobody_elses_to_read(run: Run, data_folder: Path) -> None:
    assert run("users", "list").code == 0

    assert data_folder.stat().st_mode & 0o777 == 0o700
