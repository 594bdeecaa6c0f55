"""Bad requests for `POST /videos/generate`: what is sent, and the status and code it must get."""

import json

from tests.api.corpus import (
    BOUNDARY,
    FILE,
    FORM,
    JSON,
    NOT_JSON,
    PROMPT,
    WRONG_HEADERS,
    BadRequest,
    as_form,
    gif,
    png,
)

SCENES = [{"prompt": "dawn"}, {"prompt": "night"}]
HUGE = 2**53


def as_json(**fields: object) -> bytes:
    """Return a good body with some fields changed."""
    return json.dumps({"prompt": "waves"} | fields).encode()


def _invalid(name: str, code: str = "invalid_request", **fields: object) -> BadRequest:
    return BadRequest(name=name, content=as_json(**fields), status=422, code=code)


def _scenes(name: str, scenes: object, **fields: object) -> BadRequest:
    return BadRequest(
        name=name,
        content=json.dumps({"scenes": scenes} | fields).encode(),
        status=422,
        code="invalid_request",
    )


def _form(
    name: str, content: bytes, *, status: int = 422, code: str = "invalid_request"
) -> BadRequest:
    return BadRequest(name=name, content=content, status=status, code=code, headers=FORM)


def _first_frame(content: bytes) -> bytes:
    return as_form(PROMPT, ("image", FILE, content))


def _raw(name: str, content: bytes) -> BadRequest:
    return BadRequest(name=name, content=content, status=422, code="invalid_request")


WRONG_FIELDS = [
    _raw("nothing at all", b"{}"),
    _invalid("unknown field", colour="red"),
    _invalid("a field of pictures", n=2),
    _invalid("another field of pictures", strength=0.5),
    _invalid("a reference image", reference_image="data:image/png;base64,AAAA"),
    _invalid("prompt is a number", prompt=3),
    _invalid("prompt is a list", prompt=["waves"]),
    _invalid("prompt is null", prompt=None),
    _invalid("blank prompt", prompt=" \n\t "),
    _invalid("100 kB of prompt", prompt="a" * 100_000),
    _invalid("NUL in the prompt", prompt="a\x00b"),
    _raw("lone surrogate", b'{"prompt": "\\ud800"}'),
    _invalid("NUL in the negative prompt", negative_prompt="\x00"),
    _invalid("width is a text", width="64"),
    _invalid("width is a fraction", width=64.5),
    _invalid("width is a bool", width=True),
    _invalid("width is odd", width=65),
    _invalid("width is zero", width=0),
    _invalid("width is huge", width=HUGE),
    _invalid("width beyond all integers", width=10**400),
    _invalid("height is negative", height=-64),
    _invalid("no frames", num_frames=0),
    _invalid("frames are a fraction", num_frames=8.5),
    _invalid("frames are a text", num_frames="8"),
    _invalid("frames are a bool", num_frames=True),
    _invalid("too many frames", num_frames=4001),
    _invalid("far too many frames", num_frames=HUGE),
    _invalid("no duration", duration=0),
    _invalid("a negative duration", duration=-3),
    _invalid("a duration of a year", duration=3e7),
    _invalid("a duration beyond all numbers", duration=1e300),
    _invalid("duration is a text", duration="3s"),
    _invalid("duration is a bool", duration=True),
    _raw("duration overflows", b'{"prompt": "a", "duration": 1e999}'),
    _invalid("frames and a duration", num_frames=8, duration=1),
    _invalid("no frame rate", fps=0),
    _invalid("a negative frame rate", fps=-8),
    _invalid("a frame rate of 240", fps=240),
    _invalid("a frame rate that is huge", fps=HUGE, duration=1),
    _invalid("a frame rate that is a fraction", fps=29.97),
    _invalid("no steps", num_inference_steps=0),
    _invalid("too many steps", num_inference_steps=100_000),
    _invalid("guidance is negative", guidance_scale=-1),
    _invalid("seed is negative", seed=-1),
    _invalid("seed is too large", seed=2**32),
    _invalid("unknown model", "unknown_model", model="no-such-model"),
    _invalid("model with a path", "unknown_model", model="../../etc/passwd"),
    _invalid("model too long", model="m" * 10_000),
    _invalid("a model of pictures", model="mini"),
    _invalid("unknown format", output_format="avi"),
    _invalid("a format of pictures", output_format="png"),
    _invalid("unknown transition", transition="wipe"),
    _invalid("transition is a list", transition=["cut"]),
    _invalid("metadata of numbers", metadata={"a": 1}),
    _invalid("metadata too large", metadata={str(number): "x" for number in range(17)}),
    _invalid(
        "more work than the plan allows",
        width=2048,
        height=2048,
        num_frames=4000,
        num_inference_steps=1000,
    ),
    _invalid("image is a number", image=3),
    _invalid("image is a list", image=["data:image/png;base64,AAAA"]),
    _invalid("image is an object", image={"url": "https://pictures.example.com/a.png"}),
    _invalid("image is empty", image=""),
    _raw("image is a lone surrogate", b'{"prompt": "a", "image": "\\ud800"}'),
    _raw("a URL with a lone surrogate", b'{"image": "https://ex\\ud800ample.com/a.png"}'),
]

WRONG_SCENES = [
    _scenes("scenes are an object", {}),
    _scenes("scenes are a text", "dawn"),
    _scenes("scenes are a number", 2),
    _scenes("scenes are true", scenes=True),
    _scenes("no scenes", []),
    _scenes("eleven scenes", [{"prompt": "dawn"}] * 11),
    _scenes("ten thousand scenes", [{"prompt": "dawn"}] * 10_000),
    _scenes("scenes of texts", ["dawn", "night"]),
    _scenes("scenes of nothing", [None]),
    _scenes("scenes in scenes", [{"scenes": SCENES}]),
    _scenes("an empty scene", [{"prompt": "dawn"}, {}]),
    _scenes("a blank scene", [{"prompt": " "}]),
    _scenes("a scene with an unknown field", [{"prompt": "dawn", "colour": "red"}]),
    _scenes("a scene with a size of its own", [{"prompt": "dawn", "width": 64}]),
    _scenes("a scene whose prompt is a number", [{"prompt": 3}]),
    _scenes("a scene without frames", [{"prompt": "dawn", "num_frames": 0}]),
    _scenes("a scene of no time", [{"prompt": "dawn", "duration": 0}]),
    _scenes("a scene with both", [{"prompt": "dawn", "duration": 1, "num_frames": 8}]),
    _scenes("a scene with a bad picture", [{"prompt": "dawn", "image": "nothing"}]),
    _scenes("too many frames together", [{"prompt": "dawn", "num_frames": 2001}] * 2),
    _scenes("an image beside scenes", SCENES, image="data:image/png;base64,AAAA"),
    _scenes("frames beside scenes", SCENES, num_frames=8),
    _scenes("a duration beside scenes", SCENES, duration=3),
]

WRONG_FORMS = [
    _form("no prompt in the form", as_form(("seed", b"", b"1"))),
    _form("prompt twice", as_form(PROMPT, PROMPT)),
    _form("image as text", as_form(PROMPT, ("image", b"", b"https://pictures.example.com/a.png"))),
    _form("two images", as_form(PROMPT, ("image", FILE, gif()), ("image", FILE, gif()))),
    _form("a file of another name", as_form(PROMPT, ("reference_image", FILE, gif()))),
    _form("scenes in a form", as_form(("scenes", b"", b'[{"prompt": "dawn"}]'))),
    _form(
        "a file beside scenes",
        as_form(("scenes", b"", b'[{"prompt": "dawn"}]'), ("image", FILE, png(64, 64))),
    ),
    _form("unknown field in the form", as_form(PROMPT, ("colour", b"", b"red"))),
    _form("NaN in the form", as_form(PROMPT, ("duration", b"", b"nan"))),
    _form("infinity in the form", as_form(PROMPT, ("duration", b"", b"inf"))),
    _form("a word for a number", as_form(PROMPT, ("fps", b"", b"fast"))),
    _form("an empty file", _first_frame(b""), code="invalid_image"),
    _form("a text as picture", _first_frame(b"hello"), status=415, code="unsupported_image_type"),
    _form("a GIF", _first_frame(gif()), status=415, code="unsupported_image_type"),
    _form("a pixel bomb", _first_frame(png(60_000, 60_000)), status=413, code="image_too_large"),
    _form("a damaged PNG", _first_frame(png(64, 64, idat=b"junk")), code="invalid_image"),
]

WRONG_SIZES = [
    BadRequest(
        name="a JSON body of 30 MB",
        content=as_json(image="data:image/png;base64," + "A" * 30_000_000),
        status=413,
        code="body_too_large",
    ),
    BadRequest(
        name="a form of 100 MB",
        content=_first_frame(b"\x00" * 100_000_000),
        status=413,
        code="body_too_large",
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    ),
    BadRequest(
        name="a type that is none of ours",
        content=as_json(),
        status=415,
        code="unsupported_media_type",
        headers={"Content-Type": "video/mp4"},
    ),
    BadRequest(
        name="compressed",
        content=b"\x1f\x8b",
        status=415,
        code="unsupported_media_type",
        headers=JSON | {"Content-Encoding": "gzip"},
    ),
]

CORPUS = [
    *NOT_JSON,
    *WRONG_FIELDS,
    *WRONG_SCENES,
    *WRONG_FORMS,
    *WRONG_SIZES,
    *WRONG_HEADERS,
]
