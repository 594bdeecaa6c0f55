"""Edits over HTTP: several pictures and a mask in one form, and everything that can be wrong."""

import io

from PIL import Image

from tests.api.conftest import ASYNC, GENERATE, Answer, Door, OpenDoor

FORM = {"prompt": "a boat", "width": "64", "height": "64", "num_inference_steps": "2"}
BOX = (16, 16, 48, 48)
KEPT = ("jobs", "idempotency", "quota_windows", "ledger_txns", "job_previews")
File = tuple[str, tuple[str, bytes, str]]


def png(colour: str = "blue", size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def mask_png(
    box: tuple[int, int, int, int] | None = BOX, size: tuple[int, int] = (64, 64)
) -> bytes:
    image = Image.new("L", size)
    if box is not None:
        image.paste(255, box)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def picture(data: bytes | None = None) -> File:
    return ("reference_image", ("a.png", png() if data is None else data, "image/png"))


def mask(data: bytes | None = None) -> File:
    return ("mask", ("m.png", mask_png() if data is None else data, "image/png"))


def edit(
    door: Door,
    *files: File,
    headers: dict[str, str] | None = None,
    fields: dict[str, str] | None = None,
) -> Answer:
    form = FORM | (fields or {})
    return door.client.post(GENERATE, data=form, files=list(files), headers=headers or {})


def codes_of(answer: Answer) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


def test_outside_the_mask_the_picture_stays_to_the_bit(working: Door) -> None:
    answer = edit(working, picture(), mask())

    assert answer.status_code == 200, answer.text
    file = working.client.get(answer.json()["image_url"])
    with Image.open(io.BytesIO(file.content)) as image:
        drawn = image.convert("RGB")
    outside = drawn.copy()
    outside.paste("blue", BOX)
    assert outside.getcolors() == [(64 * 64, (0, 0, 255))]
    assert drawn.getpixel((32, 32)) != (0, 0, 255)


def test_every_file_counts_for_what_is_drawn(working: Door) -> None:
    red, other_mask = picture(png("red")), mask(mask_png((16, 16, 48, 47)))
    edits: list[list[File]] = [
        [picture(), mask()],
        [picture(), other_mask],
        [picture(), red, mask()],
        [picture(), red, picture(png("green")), mask()],
    ]

    made = [edit(working, *files, fields={"seed": "1"}).json()["task_id"] for files in edits]

    drawn = {working.client.get(f"/api/v1/files/images/{job}.png").content for job in made}
    assert len(drawn) == len(edits)
    strengths = [working.client.get(f"/api/v1/jobs/{job}").json()["input"] for job in made]
    assert [found["strength"] for found in strengths] == [1.0, 1.0, 0.6, 0.6]


def test_a_repeated_edit_is_the_same_job_and_one_with_another_file_is_refused(door: Door) -> None:
    key = ASYNC | {"Idempotency-Key": "edit-1"}
    files = [picture(), picture(png("red")), mask()]
    first = edit(door, *files, headers=key)

    again = edit(door, *files, headers=key)
    other_mask = edit(door, *files[:2], mask(mask_png((0, 0, 9, 9))), headers=key)
    other_order = edit(door, files[1], files[0], files[2], headers=key)

    assert again.json()["task_id"] == first.json()["task_id"]
    assert again.json()["task_id"].startswith("job_")
    assert [other_mask.status_code, other_order.status_code] == [422, 422]
    assert other_mask.json()["code"] == "idempotency_key_reused"


WRONG: list[tuple[str, list[File], dict[str, str], list[tuple[str, str]]]] = [
    ("mask alone", [mask()], {}, [("/mask", "needs_reference_image")]),
    (
        "mask of another size",
        [picture(), mask(mask_png(size=(64, 48)))],
        {},
        [("/mask", "mask_size_mismatch")],
    ),
    ("mask of nothing", [picture(), mask(mask_png(None))], {}, [("/mask", "mask_empty")]),
    ("mask that is none", [picture(), mask(b"x")], {}, [("/mask", "unsupported_image_type")]),
    (
        "second picture that is none",
        [picture(), picture(b"x"), mask()],
        {},
        [("/reference_image/1", "unsupported_image_type")],
    ),
    (
        "several pictures without a mask",
        [picture(), picture()],
        {},
        [("/reference_image", "not_supported_by_model")],
    ),
    ("too many pictures", [picture()] * 17, {}, [("/reference_image", "too_many_pictures")]),
    ("two masks", [picture(), mask(), mask()], {}, [("/mask", "given_twice")]),
    (
        "mask for a model without",
        [picture(), mask()],
        {"model": "kolors", "width": "512", "height": "512"},
        [("/mask", "not_supported_by_model")],
    ),
    (
        "more pictures than the model looks at",
        [picture()] * 5,
        {"model": "flux2-klein-4b", "width": "512", "height": "512"},
        [("/reference_image", "not_supported_by_model")],
    ),
    (
        "compression of a png",
        [],
        {"output_compression": "50"},
        [("/output_compression", "needs_lossy_format")],
    ),
    (
        "compression out of range",
        [],
        {"output_compression": "101", "output_format": "webp"},
        [("/output_compression", "out_of_range")],
    ),
    ("too many previews", [], {"previews": "11"}, [("/previews", "out_of_range")]),
    ("negative previews", [], {"previews": "-1"}, [("/previews", "out_of_range")]),
]


def test_what_is_wrong_is_said_and_nothing_is_kept(open_door: OpenDoor) -> None:
    door = open_door(rate_limits=False, enabled_models=("kolors", "flux2-klein-4b"))
    before = door.count_rows()

    for name, files, fields, codes in WRONG:
        answer = edit(door, *files, headers=ASYNC, fields=fields) if files else _plain(door, fields)

        assert answer.status_code == 422, name
        assert codes_of(answer) == codes, name
    assert {name: door.count_rows()[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert door.list_files() == []


def _plain(door: Door, fields: dict[str, str]) -> Answer:
    numbers = {
        name: value if name == "output_format" else int(value) for name, value in fields.items()
    }
    return door.client.post(GENERATE, json={"prompt": "a boat", **numbers}, headers=ASYNC)


def test_the_words_name_models_that_can(open_door: OpenDoor) -> None:
    door = open_door(rate_limits=False, enabled_models=("kolors", "flux2-klein-4b"))
    large = {"model": "kolors", "width": "512", "height": "512"}

    masked = edit(door, picture(), mask(), fields=large).json()["detail"]
    several = edit(door, picture(), picture()).json()["detail"]

    assert "mini" in masked
    assert "flux2-klein-4b" in several
    assert "mask" in several


def test_a_lower_quality_makes_a_smaller_file(working: Door) -> None:
    sizes = [
        working.client.post(
            GENERATE,
            json={
                "prompt": "bytes=9000",
                "width": 64,
                "height": 64,
                "seed": 1,
                "output_format": output_format,
                "output_compression": quality,
            },
        ).json()["file_size"]
        for output_format in ("jpeg", "webp")
        for quality in (0, 100)
    ]

    assert sizes[0] < sizes[1] / 3
    assert sizes[2] < sizes[3] / 3
