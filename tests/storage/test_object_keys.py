"""Keys and public names: made of validated parts, and nothing else passes."""

import pytest

from gen_video.ids import new_id
from gen_video.storage.objects import object_key, require_key, require_name, require_prefix

JOB = "job_0123456789abcdefghijAB"
KEY = object_key(JOB, fence=3, index=1, extension="png")
HOSTILE = (
    "../../etc/passwd",
    "objects/../../etc/passwd",
    f"objects/ab/{JOB}/1/../../2/1.png",
    f"/objects/ab/{JOB}/1/1.png",
    f"objects/ab/{JOB}/1/1.png\x00.txt",
    f"objects/ab/{JOB}/1/1.png\n",
    f"objects\\ab\\{JOB}\\1\\1.png",
    f"objects/ab/{JOB}/1/%2e%2e.png",
    f"objects//{JOB}/1/1.png",
    f"objects/ab/{JOB}/1/1.PNG",
    f"objects/ab/{JOB}/\N{FULLWIDTH DIGIT ONE}/1.png",
    f"objects/ab/{JOB}/1/.tmp-1.png",
    "",
    ".",
)


def test_a_key_names_its_job_its_fence_and_its_file() -> None:
    assert KEY.startswith("objects/")
    assert KEY.endswith(f"/{JOB}/3/1.png")


def test_keys_spread_over_folders() -> None:
    keys = [object_key(new_id("job"), fence=1, index=0, extension="png") for _ in range(200)]

    assert len({key.split("/")[1] for key in keys}) > 50


def test_the_key_of_the_same_file_is_always_the_same() -> None:
    assert object_key(JOB, fence=3, index=1, extension="png") == KEY


@pytest.mark.parametrize(
    ("job_id", "fence", "index", "extension"),
    [
        ("job_../../x", 1, 0, "png"),
        ("job_short", 1, 0, "png"),
        (f"{JOB}/..", 1, 0, "png"),
        (JOB, -1, 0, "png"),
        (JOB, 10**18, 0, "png"),
        (JOB, 1, -1, "png"),
        (JOB, 1, 0, "../x"),
        (JOB, 1, 0, "PNG"),
        (JOB, 1, 0, ""),
        (JOB, 1, 0, "png\n"),
    ],
)
def test_a_key_is_not_made_of_odd_parts(
    job_id: str, fence: int, index: int, extension: str
) -> None:
    with pytest.raises(ValueError, match="not an object key"):
        object_key(job_id, fence=fence, index=index, extension=extension)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="not an object key"):
        require_key(text)


@pytest.mark.parametrize(
    "text", [*HOSTILE, KEY, "images/x.png", f"secrets/{JOB}.png", f"images/../{JOB}.png"]
)
def test_hostile_texts_are_no_public_names(text: str) -> None:
    with pytest.raises(ValueError, match="not a public file name"):
        require_name(text)


@pytest.mark.parametrize("name", [f"images/{JOB}.png", f"images/{JOB}_2.jpg", f"videos/{JOB}.mp4"])
def test_the_names_that_people_know_pass(name: str) -> None:
    assert require_name(name) == name


@pytest.mark.parametrize("prefix", ["objects/", "objects/ab/", f"objects/ab/{JOB}/", "objects/a"])
def test_prefixes_of_keys_pass(prefix: str) -> None:
    assert require_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["", "/", "images/", "objects", "objects/../", "objects//x"])
def test_other_prefixes_do_not(prefix: str) -> None:
    with pytest.raises(ValueError, match="not a prefix"):
        require_prefix(prefix)
