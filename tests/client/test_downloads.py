"""Downloads: whole and checked, or not at all; gone on with after a cut; the key stays at home."""

import hashlib
from pathlib import Path

import httpx
import pytest

from gen_video.client import DownloadError, DownloadProgress, NotFoundError, UnreachableError
from gen_video.client.records import Output
from tests.client.conftest import Make, Pieces, Script, job, problem

DATA = bytes(range(256)) * 40
SHA256 = hashlib.sha256(DATA).hexdigest()
ETAG = f'"{SHA256}"'
URL = "/api/v1/files/images/job_1.png"
OUTPUT = Output(url=URL, sha256=SHA256, size_bytes=len(DATA))


def whole(*pieces: bytes, is_cut: bool = False) -> httpx.Response:
    headers = {"content-length": str(len(DATA)), "etag": ETAG}
    return httpx.Response(200, headers=headers, stream=Pieces(*pieces, is_cut=is_cut))


def part(start: int, *, is_cut: bool = False) -> httpx.Response:
    headers = {"content-range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}", "etag": ETAG}
    return httpx.Response(206, headers=headers, stream=Pieces(DATA[start:], is_cut=is_cut))


def test_a_download_that_is_cut_goes_on_where_it_was(make: Make, tmp_path: Path) -> None:
    script = Script(whole(DATA[:4000], is_cut=True), httpx.ConnectError("refused"), part(4000))

    saved = make(script).download(OUTPUT, tmp_path / "lake.png")

    assert saved.read_bytes() == DATA
    assert script.headers("range") == [None, "bytes=4000-", "bytes=4000-"]
    assert script.headers("if-range") == [None, ETAG, ETAG]
    assert [path.name for path in tmp_path.iterdir()] == ["lake.png"]


def test_a_server_that_knows_no_ranges_sends_it_all_again(make: Make, tmp_path: Path) -> None:
    script = Script(whole(DATA[:4000], is_cut=True), whole(DATA))

    assert make(script).download(OUTPUT, tmp_path / "lake.png").read_bytes() == DATA


def test_a_part_that_is_not_there_any_more_starts_over(make: Make, tmp_path: Path) -> None:
    gone = httpx.Response(416, headers={"content-range": "bytes */9"}, text="no")
    script = Script(whole(DATA[:4000], is_cut=True), gone, whole(DATA))

    assert make(script).download(OUTPUT, tmp_path / "lake.png").read_bytes() == DATA
    assert script.headers("range") == [None, "bytes=4000-", None]


def test_progress_is_told(make: Make, tmp_path: Path) -> None:
    told: list[DownloadProgress] = []

    make(Script(whole(DATA[:4000], DATA[4000:]))).download(
        OUTPUT, tmp_path / "lake.png", on_progress=told.append
    )

    assert [(one.received_bytes, one.total_bytes) for one in told] == [
        (4000, 10240),
        (10240, 10240),
    ]


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([whole(DATA[:-1] + b"x")], DownloadError),
        ([whole(DATA[:-1])], DownloadError),
        ([problem(404, "file_not_found")], NotFoundError),
        ([whole(DATA[:9], is_cut=True), httpx.ConnectError("refused")], UnreachableError),
    ],
    ids=["damaged", "short", "missing", "away"],
)
def test_what_is_not_whole_leaves_nothing_and_keeps_what_was_there(
    make: Make, tmp_path: Path, answers: list[httpx.Response | Exception], kind: type[Exception]
) -> None:
    target = tmp_path / "lake.png"
    target.write_bytes(b"older")

    with pytest.raises(kind):
        make(Script(*answers), max_retries=0).download(OUTPUT, target)

    assert [path.name for path in tmp_path.iterdir()] == ["lake.png"]
    assert target.read_bytes() == b"older"


def test_a_folder_takes_the_service_s_names(make: Make, tmp_path: Path) -> None:
    outputs = [{"url": URL}, {"url": URL.replace("job_1", "job_1_2") + "?signature=x"}]
    script = Script(httpx.Response(200, json=job(outputs=outputs)), whole(DATA), whole(DATA))

    paths = make(script).download_all("job_1", tmp_path)

    assert [path.name for path in paths] == ["job_1.png", "job_1_2.png"]


def test_a_folder_that_is_not_there_is_said(make: Make, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="No such file or directory"):
        make(Script()).download(OUTPUT, tmp_path / "no" / "lake.png")


def test_a_job_without_files_is_said(make: Make, tmp_path: Path) -> None:
    answer = httpx.Response(200, json=job("running"))

    with pytest.raises(DownloadError, match="job_1 is running"):
        make(Script(answer, answer)).download("job_1", tmp_path)


def test_the_key_goes_to_no_other_host(make: Make, tmp_path: Path) -> None:
    elsewhere = "https://files.test/job_1.png?signature=x"
    led_on = httpx.Response(307, headers={"location": elsewhere})
    script = Script(led_on, whole(DATA), whole(DATA))
    client = make(script)

    client.download(OUTPUT, tmp_path / "a.png")
    client.download(Output(url=elsewhere), tmp_path / "b.png")

    assert script.headers("authorization") == ["Bearer test-key-123", None, None]
    assert script.requests[2].url.host == "files.test"


@pytest.mark.parametrize("name", ["..", "", "a\\b"])
def test_a_name_that_leads_elsewhere_is_not_taken(make: Make, tmp_path: Path, name: str) -> None:
    with pytest.raises(DownloadError, match="name"):
        make(Script(whole(DATA))).download(Output(url=f"/files/{name}"), tmp_path)
