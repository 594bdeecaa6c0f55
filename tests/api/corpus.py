"""Bad requests for `POST /images/generate`: what is sent, and the status and code it must get."""

import io
import json
import struct
import zlib
from dataclasses import dataclass, field

from PIL import Image

JSON = {"Content-Type": "application/json"}
BOUNDARY = "XyZ"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@dataclass(frozen=True, kw_only=True)
class BadRequest:
    """One bad request."""

    name: str
    content: bytes
    status: int
    code: str
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON))


def as_json(**fields: object) -> bytes:
    """Return a good body with some fields changed."""
    return json.dumps({"prompt": "a lake"} | fields).encode()


def as_form(*parts: tuple[str, bytes, bytes]) -> bytes:
    """Return a form of parts: name, further headers, content."""
    blocks = [
        b'--XyZ\r\nContent-Disposition: form-data; name="'
        + name.encode()
        + b'"'
        + headers
        + b"\r\n\r\n"
        + content
        + b"\r\n"
        for name, headers, content in parts
    ]
    return b"".join([*blocks, b"--XyZ--\r\n"])


FILE = b'; filename="a.png"\r\nContent-Type: image/png'
PROMPT = ("prompt", b"", b"a lake")


def reference(content: bytes) -> bytes:
    """Return a form with a reference image."""
    return as_form(PROMPT, ("reference_image", FILE, content))


def png(width: int, height: int, *, idat: bytes = b"") -> bytes:
    """Return a PNG that claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


def gif() -> bytes:
    """Return a real GIF."""
    file = io.BytesIO()
    Image.new("P", (20, 20)).save(file, "GIF")
    return file.getvalue()


def _invalid(name: str, code: str = "invalid_request", **fields: object) -> BadRequest:
    return BadRequest(name=name, content=as_json(**fields), status=422, code=code)


def _raw(
    name: str, content: bytes, *, status: int = 400, code: str = "malformed_body"
) -> BadRequest:
    return BadRequest(name=name, content=content, status=status, code=code)


def _form(
    name: str, content: bytes, *, status: int = 422, code: str = "invalid_request"
) -> BadRequest:
    return BadRequest(name=name, content=content, status=status, code=code, headers=FORM)


def _typed(name: str, content_type: str) -> BadRequest:
    headers = {"Content-Type": content_type}
    return BadRequest(
        name=name, content=as_json(), status=415, code="unsupported_media_type", headers=headers
    )


def _headed(name: str, **headers: str) -> BadRequest:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return BadRequest(
        name=name, content=as_json(), status=422, code="invalid_header", headers=JSON | named
    )


NOT_JSON = [
    _raw("empty body", b""),
    _raw("only white space", b"  \n "),
    _raw("cut off", b'{"prompt": "a la'),
    _raw("a list", b'["prompt"]'),
    _raw("a text", b'"prompt"'),
    _raw("null", b"null"),
    _raw("trailing text", b'{"prompt": "a"} x'),
    _raw("comments", b'{"prompt": "a" /* x */}'),
    _raw("NaN", b'{"prompt": "a", "guidance_scale": NaN}'),
    _raw("Infinity", b'{"prompt": "a", "guidance_scale": Infinity}'),
    _raw("minus Infinity", b'{"prompt": "a", "guidance_scale": -Infinity}'),
    _raw("a number of 5,000 digits", b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}"),
    _raw("deep nesting", b'{"prompt": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    _raw("not UTF-8", b'{"prompt": "\xff\xfe"}'),
    _raw("GBK", '{"prompt": "一个美丽的风景"}'.encode("gbk")),
    _raw("UTF-16", '{"prompt": "a"}'.encode("utf-16")),
    _raw("binary", bytes(range(256))),
]

WRONG_FIELDS = [
    _raw("no prompt", b"{}", status=422, code="invalid_request"),
    _invalid("unknown field", colour="red"),
    _invalid("misspelt field", num_inference_step=3),
    _invalid("prompt is null", prompt=None),
    _invalid("prompt is a number", prompt=3),
    _invalid("prompt is a list", prompt=["a"]),
    _invalid("prompt is an object", prompt={"text": "a"}),
    _invalid("empty prompt", prompt=""),
    _invalid("blank prompt", prompt=" \n\t "),
    _invalid("100 kB of prompt", prompt="a" * 100_000),
    _invalid("NUL in the prompt", prompt="a\x00b"),
    _invalid("escape in the prompt", prompt="a\x1b[31mb"),
    _invalid("C1 control in the prompt", prompt="a\x85b"),
    _invalid("NUL in the negative prompt", negative_prompt="\x00"),
    _raw("lone surrogate", b'{"prompt": "\\ud800"}', status=422, code="invalid_request"),
    _invalid("width is a text", width="64"),
    _invalid("width is a fraction", width=64.5),
    _invalid("width is a bool", width=True),
    _invalid("width is no multiple", width=65),
    _invalid("width is zero", width=0),
    _invalid("width is negative", width=-64),
    _invalid("width is huge", width=10**15),
    _invalid("width beyond all integers", width=10**400),
    _invalid("height is too small", height=4),
    _invalid("no steps", num_inference_steps=0),
    _invalid("too many steps", num_inference_steps=100_000),
    _invalid("guidance is a text", guidance_scale="7"),
    _invalid("guidance is negative", guidance_scale=-1),
    _raw(
        "guidance overflows",
        b'{"prompt": "a", "guidance_scale": 1e999}',
        status=422,
        code="invalid_request",
    ),
    _invalid("seed is negative", seed=-1),
    _invalid("seed is too large", seed=2**32),
    _invalid("n is zero", n=0),
    _invalid("n is beyond the plan", n=5),
    _invalid("n is a list", n=[1]),
    _invalid("unknown model", "unknown_model", model="no-such-model"),
    _invalid("model with a path", "unknown_model", model="../../etc/passwd"),
    _invalid("model with NUL", "unknown_model", model="mini\x00"),
    _invalid("model too long", model="m" * 10_000),
    _invalid("unknown format", output_format="gif"),
    _invalid("format is a number", output_format=1),
    _invalid("strength without a picture", strength=0.5),
    _invalid("a reference image in JSON", reference_image="data:image/png;base64,AAAA"),
    _invalid("unknown LoRA", style_lora="no-such"),
    _invalid("LoRA with a path", style_lora="../../weights"),
    _invalid("metadata of numbers", metadata={"a": 1}),
    _invalid("metadata too large", metadata={str(number): "x" for number in range(17)}),
    _invalid("metadata with NUL", metadata={"a": "\x00"}),
    _invalid("more work than the plan allows", width=2048, height=2048, num_inference_steps=1000),
]

WRONG_TYPES = [
    _typed("text", "text/plain"),
    _typed("url-encoded", "application/x-www-form-urlencoded"),
    _typed("xml", "application/xml"),
    _typed("nonsense", "\\;;;"),
    BadRequest(
        name="compressed",
        content=b"\x1f\x8b",
        status=415,
        code="unsupported_media_type",
        headers=JSON | {"Content-Encoding": "gzip"},
    ),
    BadRequest(
        name="a JSON body of 2 MB",
        content=as_json(prompt="a" * 2_000_000),
        status=413,
        code="body_too_large",
    ),
    BadRequest(
        name="a form of 100 MB",
        content=reference(b"\x00" * 100_000_000),
        status=413,
        code="body_too_large",
        headers=FORM,
    ),
]

WRONG_FORMS = [
    BadRequest(
        name="no boundary",
        content=as_form(PROMPT),
        status=400,
        code="malformed_body",
        headers={"Content-Type": "multipart/form-data"},
    ),
    _form("a form that is none", b"hello", status=400, code="malformed_body"),
    _form("no prompt in the form", as_form(("seed", b"", b"1"))),
    _form("prompt twice", as_form(PROMPT, PROMPT)),
    _form("prompt as a file", as_form(("prompt", FILE, b"a lake"))),
    _form("reference image as text", as_form(PROMPT, ("reference_image", b"", b"hello"))),
    _form("unknown field in the form", as_form(PROMPT, ("colour", b"", b"red"))),
    _form("NaN in the form", as_form(PROMPT, ("guidance_scale", b"", b"nan"))),
    _form("a word for a number", as_form(PROMPT, ("width", b"", b"wide"))),
    _form(
        "two reference images",
        as_form(PROMPT, ("reference_image", FILE, gif()), ("reference_image", FILE, gif())),
    ),
    _form(
        "a hundred fields",
        as_form(PROMPT, *((f"f{n}", b"", b"x") for n in range(100))),
        status=400,
        code="malformed_body",
    ),
    _form("an empty file", reference(b""), code="invalid_image"),
    _form("a text as picture", reference(b"hello"), status=415, code="unsupported_image_type"),
    _form("a GIF", reference(gif()), status=415, code="unsupported_image_type"),
    _form("an SVG", reference(b"<svg/>"), status=415, code="unsupported_image_type"),
    _form("a pixel bomb", reference(png(60_000, 60_000)), status=413, code="image_too_large"),
    _form("a long thin bomb", reference(png(2**30, 1)), status=413, code="image_too_large"),
    _form("a damaged PNG", reference(png(64, 64, idat=b"junk")), code="invalid_image"),
    _form("a picture of one pixel", reference(png(1, 1)), code="invalid_image"),
]

WRONG_HEADERS = [
    _headed("an empty idempotency key", Idempotency_Key=""),
    _headed("a long idempotency key", Idempotency_Key="k" * 256),
    _headed("a wait of words", Prefer="wait=soon"),
    _headed("a negative wait", Prefer="wait=-1"),
    _headed("no duration", Cancel_After="soon"),
    _headed("no time at all", Cancel_After="0s"),
    _headed("a week", Cancel_After="168h"),
]

CORPUS = [*NOT_JSON, *WRONG_FIELDS, *WRONG_TYPES, *WRONG_FORMS, *WRONG_HEADERS]
