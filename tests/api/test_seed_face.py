"""The seed's calls answer with the names that existing clients read."""

import io
from pathlib import Path

import pytest
from PIL import Image

from tests.api.conftest import ASYNC, GENERATE, PAID_KEY, SMALL, Door, OpenDoor


def test_health_needs_no_key(door: Door) -> None:
    answer = door.client.get("/api/v1/health", headers={"X-API-Key": ""})

    assert answer.status_code == 200
    assert set(answer.json()["checks"]) == {"database", "storage", "queue", "engine"}


@pytest.mark.parametrize(
    ("key", "owner", "images", "videos"),
    [
        ("test-key-123", ("test_user", "free"), 10, 2),
        ("demo-key-456", ("demo_user", "paid"), 100, 20),
    ],
)
def test_quota_shows_the_plan_of_the_test_keys(
    door: Door, key: str, owner: tuple[str, str], images: int, videos: int
) -> None:
    body = door.client.get("/api/v1/quota", headers={"X-API-Key": key}).json()

    assert (body["user_id"], body["tier"]) == owner
    assert body["quota"]["images"] == {
        "limit": images,
        "used": 0,
        "reserved": 0,
        "remaining": images,
    }
    assert body["quota_remaining"] == {"images": images, "videos": videos}
    assert body["timezone"] == "Asia/Shanghai"
    assert body["resets_at"].endswith("T00:00:00+08:00")


def test_a_picture_is_answered_in_the_seeds_words(working: Door) -> None:
    answer = working.client.post(GENERATE, json=SMALL | {"seed": 5})

    body = answer.json()
    task_id = body["task_id"]
    assert answer.status_code == 200, body
    assert body["status"] == "completed"
    assert body["image_url"] == f"/api/v1/files/images/{task_id}.png"
    assert (body["width"], body["height"], body["seed"]) == (64, 64, 5)
    assert body["model"] == "test-double"
    assert body["quota_remaining"] == {"images": 9, "videos": 2}
    assert body["elapsed_seconds"] > 0
    content = working.client.get(body["image_url"], headers={"X-API-Key": ""}).content
    assert len(content) == body["file_size"]
    public = working.services.settings.output_dir / "images" / f"{task_id}.png"
    assert public.read_bytes() == content


def test_several_pictures_are_numbered(working: Door) -> None:
    body = working.client.post(GENERATE, json=SMALL | {"n": 3, "seed": 10}).json()

    urls = [image["image_url"] for image in body["images"]]
    assert [url.rpartition("/")[2].removeprefix(body["task_id"]) for url in urls] == [
        "_1.png",
        "_2.png",
        "_3.png",
    ]
    assert [image["seed"] for image in body["images"]] == [10, 11, 12]
    assert body["quota_remaining"]["images"] == 7


@pytest.mark.parametrize(("name", "mime"), [("jpeg", "image/jpeg"), ("webp", "image/webp")])
def test_other_formats_on_request(working: Door, name: str, mime: str) -> None:
    body = working.client.post(GENERATE, json=SMALL | {"output_format": name}).json()

    answer = working.client.get(body["image_url"])

    assert answer.headers["content-type"] == mime
    assert Image.open(io.BytesIO(answer.content)).format == name.upper()


def test_a_form_with_a_reference_image(working: Door) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (100, 80), "teal").save(picture, "PNG")
    fields = {
        "prompt": "a lake",
        "width": "64",
        "height": "64",
        "num_inference_steps": "2",
        "strength": "0.5",
        "reference_image_type": "scene",
        "use_model_manager": "true",
        "task": "scene",
        "negative_prompt": "",
    }

    answer = working.client.post(
        GENERATE,
        data=fields,
        files={"reference_image": ("photo.png", picture.getvalue(), "image/png")},
    )

    assert answer.status_code == 200, answer.text
    job = working.client.get(answer.json()["job_url"]).json()
    assert job["input"]["strength"] == 0.5
    assert job["input"]["reference_image_type"] == "scene"


def test_used_up_quota_is_429_and_says_when_it_resets(door: Door) -> None:
    for _ in range(10):
        assert door.client.post(GENERATE, json=SMALL, headers=ASYNC).status_code == 202
    before = door.count_rows()

    answer = door.client.post(GENERATE, json=SMALL | {"n": 1}, headers=ASYNC)

    assert answer.status_code == 429
    assert answer.json()["code"] in {"quota_exceeded", "too_many_jobs"}
    assert isinstance(answer.json()["detail"], str)
    assert int(answer.headers["Retry-After"]) > 0
    assert door.count_rows() == before


def test_more_pictures_than_are_left_is_quota_exceeded(door: Door) -> None:
    door.client.post(GENERATE, json=SMALL | {"n": 4}, headers=ASYNC)
    door.client.post(GENERATE, json=SMALL | {"n": 4}, headers=ASYNC)

    answer = door.client.post(
        GENERATE, json=SMALL | {"n": 4}, headers=ASYNC | {"Accept-Language": "zh-CN"}
    )

    body = answer.json()
    assert answer.status_code == 429
    assert body["code"] == body["error"]["code"] == "quota_exceeded"
    assert "配额不足" in body["detail"]
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["RateLimit-Policy"].startswith('"images-day";q=10;w=86400;qu="images"')
    assert answer.headers["RateLimit"].startswith('"images-day";r=2;t=')


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": ""},
        {"X-API-Key": "wrong"},
        {"X-API-Key": "gv_live_AAAAAAAAAAAA_" + "A" * 43},
        {"X-API-Key": "test-key-123", "Authorization": f"Bearer {PAID_KEY}"},
        {"X-API-Key": "", "Authorization": "Basic dGVzdDp0ZXN0"},
        {"X-API-Key": "x" * 5000},
    ],
)
def test_a_bad_key_is_401(door: Door, headers: dict[str, str]) -> None:
    answer = door.client.get("/api/v1/quota", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["error"]["type"] == "authentication_error"


def test_a_bearer_token_is_a_key_too(door: Door) -> None:
    headers = {"X-API-Key": "", "Authorization": f"Bearer {PAID_KEY}"}

    assert door.client.get("/api/v1/quota", headers=headers).json()["user_id"] == "demo_user"


def test_tasks_is_the_older_name_of_a_job(working: Door) -> None:
    made = working.client.post(GENERATE, json=SMALL).json()

    task = working.client.get(f"/api/v1/tasks/{made['task_id']}").json()

    for name in ("task_id", "status", "image_url", "file_size", "width", "height"):
        assert task[name] == made[name]


def test_models_show_limits_defaults_and_licence(door: Door) -> None:
    models = {model["id"]: model for model in door.client.get("/api/v1/models").json()["data"]}

    assert models["test-double"]["is_default"]
    assert models["mini"]["licence"] == "Apache-2.0"
    assert models["mini"]["limits"]["max_width"] == 1024
    assert "Landscapes" in models["mini"]["knows"]


def test_loras_are_those_of_the_folder(open_door: OpenDoor, tmp_path: Path) -> None:
    folder = tmp_path / "loras" / "style"
    folder.mkdir(parents=True)
    (folder / "ink.safetensors").write_bytes(b"weights")
    (folder / "ink.txt").write_text("brush and ink", encoding="utf-8")

    door = open_door()

    assert door.client.get("/api/v1/loras").json() == {
        "character": [],
        "style": [{"name": "ink", "description": "brush and ink"}],
    }


@pytest.mark.parametrize(("language", "words"), [("en", "Landscapes only"), ("zh", "只会画风景")])
def test_a_prompt_that_the_small_model_cannot_draw_is_served_with_a_hint(
    door: Door, language: str, words: str
) -> None:
    answer = door.client.post(
        GENERATE,
        json={"prompt": "一只猫", "model": "mini"},
        headers=ASYNC | {"Accept-Language": language},
    )

    [hint] = answer.json()["hints"]
    assert answer.status_code == 202
    assert hint["code"] == "prompt_outside_model_world"
    assert words in hint["message"]
    assert "sdxl" in hint["models"]


def test_a_prompt_that_it_can_draw_is_served_without(door: Door) -> None:
    answer = door.client.post(
        GENERATE, json={"prompt": "一个美丽的风景", "model": "mini"}, headers=ASYNC
    )

    assert answer.json()["hints"] == []
