"""Snippets: a job as the call that makes it again, for a shell and two Python clients. Pure.

The key comes from the environment: what is copied can be shared.
"""

import json
import shlex
from dataclasses import dataclass
from typing import Any

from gen_video.generation.models import ImageInput, Job, VideoInput

KEY = "GEN_VIDEO_API_KEY"
REFERENCE, MASK = "reference.png", "mask.png"
STANDARD_FORMATS = {"png", "mp4"}
EXTENSIONS = {"jpeg": "jpg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Code in one language; `id` names it in a page."""

    id: str
    title: str
    code: str


def list_snippets(job: Job, *, base_url: str) -> tuple[Snippet, ...]:
    """Return the ways to ask for a job again; each stands alone once the key is set.

    Args:
        job: What it was asked with, as resolved.
        base_url: Of this service, without a slash at its end.
    """
    found = [
        Snippet(id="curl", title="curl", code=_curl(job, base_url)),
        Snippet(id="python", title="Python", code=_python(job, base_url)),
    ]
    if _is_known_to_openai(job):
        found.append(Snippet(id="openai", title="OpenAI SDK", code=_openai(job, base_url)))
    return tuple(found)


def _is_known_to_openai(job: Job) -> bool:
    """Tell whether that SDK has words for it: not for storyboards, frame rates and formats."""
    given = job.input
    if isinstance(given, VideoInput):
        return len(given.scenes) == 1 and given.output_format in STANDARD_FORMATS
    return not given.loras


def options_of(given: ImageInput | VideoInput) -> dict[str, Any]:
    """Return the fields of the API that ask for this input; pictures to start from excepted."""
    options: dict[str, Any] = {
        "model": given.model,
        "width": given.width,
        "height": given.height,
        "num_inference_steps": given.num_inference_steps,
        "guidance_scale": given.guidance_scale,
        "seed": given.seed,
    }
    if given.negative_prompt:
        options["negative_prompt"] = given.negative_prompt
    if given.output_format not in STANDARD_FORMATS:
        options["output_format"] = given.output_format
    return options | (_film(given) if isinstance(given, VideoInput) else _drawing(given))


def _drawing(given: ImageInput) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if given.n > 1:
        options["n"] = given.n
    if given.strength is not None:
        options["strength"] = given.strength
    # One adapter may be asked for under either name.
    return options | dict(zip(("character_lora", "style_lora"), given.loras, strict=False))


def _film(given: VideoInput) -> dict[str, Any]:
    options: dict[str, Any] = {"fps": given.fps}
    if len(given.scenes) == 1:
        return options | {"num_frames": given.scenes[0].num_frames}
    if given.overlap:
        options["transition"] = "crossfade"
    scenes: list[dict[str, Any]] = []
    for number, scene in enumerate(given.scenes, start=1):
        entry: dict[str, Any] = {"prompt": scene.prompt} if scene.prompt else {}
        entry["num_frames"] = scene.num_frames
        if scene.reference_bytes:
            entry["image"] = f"job id of the first frame of scene {number}"
        scenes.append(entry)
    return options | {"scenes": scenes}


def _has_reference(given: ImageInput | VideoInput) -> bool:
    if isinstance(given, VideoInput):
        return len(given.scenes) == 1 and given.scenes[0].reference_bytes > 0
    return given.strength is not None


def _reference_names(given: ImageInput | VideoInput) -> list[str]:
    count = len(given.reference_bytes) if isinstance(given, ImageInput) else 1
    if count <= 1:
        return [REFERENCE]
    return [REFERENCE.replace(".", f"_{number}.") for number in range(1, count + 1)]


def _has_mask(given: ImageInput | VideoInput) -> bool:
    return isinstance(given, ImageInput) and given.mask_bytes > 0


def _curl(job: Job, base_url: str) -> str:
    given = job.input
    url = f"{base_url}/api/v1/{job.kind.value}s/generate"
    lines = [f"curl -s {shlex.quote(url)}", f'-H "X-API-Key: ${KEY}"']
    if _has_reference(given):
        fields = {"prompt": given.prompt} | options_of(given)
        lines += [
            f"--form-string {shlex.quote(f'{name}={value}')}" for name, value in fields.items()
        ]
        part = "image" if isinstance(given, VideoInput) else "reference_image"
        lines += [f"-F {part}=@{name}" for name in _reference_names(given)]
        lines += [f"-F mask=@{MASK}"] if _has_mask(given) else []
    else:
        body = json.dumps(_body(given), ensure_ascii=False, indent=2)
        lines += ['-H "Content-Type: application/json"', f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(lines)


def _body(given: ImageInput | VideoInput) -> dict[str, Any]:
    options = options_of(given)
    return options if "scenes" in options else {"prompt": given.prompt} | options


def _python(job: Job, base_url: str) -> str:
    given = job.input
    options = options_of(given)
    is_film = isinstance(given, VideoInput)
    method = "generate_video" if is_film else "generate_image"
    arguments = [] if "scenes" in options else [repr(given.prompt)]
    if _has_reference(given) and is_film:
        arguments.append(f'image=Path("{REFERENCE}")')
    elif _has_reference(given):
        method = "edit_image"
        arguments += [repr(_reference_names(given)), *([f'mask="{MASK}"'] * _has_mask(given))]
    arguments += [f"{name}={value!r}" for name, value in options.items()]
    imports = ["from pathlib import Path\n"] if is_film and _has_reference(given) else []
    return "\n".join(
        [
            "import os",
            *imports,
            "from gen_video.client import Client",
            "",
            f'with Client("{base_url}", os.environ["{KEY}"]) as client:',
            f"    job = client.{method}(",
            *(f"        {argument}," for argument in arguments),
            "    )",
            "    for path in client.download_all(job):",
            "        print(path)",
        ]
    )


def _openai(job: Job, base_url: str) -> str:
    given = job.input
    head = [
        *([] if isinstance(given, VideoInput) else ["import base64"]),
        "import os",
        "",
        "from openai import OpenAI",
        "",
        f'client = OpenAI(base_url="{base_url}/v1", api_key=os.environ["{KEY}"])',
    ]
    body = _openai_film(given) if isinstance(given, VideoInput) else _openai_drawing(given)
    return "\n".join([*head, *body])


def _openai_drawing(given: ImageInput) -> list[str]:
    extra = _extra(given)
    arguments = {"model": given.model, "prompt": given.prompt, "size": _size(given), "n": given.n}
    if given.output_format not in STANDARD_FORMATS:
        arguments["output_format"] = given.output_format
    first = []
    method = "generate"
    if given.strength is not None:
        opened = ", ".join(f'open("{name}", "rb")' for name in _reference_names(given))
        method, first = "edit", [f"    image=[{opened}],"]
        first += [f'    mask=open("{MASK}", "rb"),'] * _has_mask(given)
        extra["strength"] = given.strength
    extension = EXTENSIONS.get(given.output_format, given.output_format)
    return [
        f"result = client.images.{method}(",
        *first,
        *(f"    {name}={value!r}," for name, value in arguments.items()),
        f"    extra_body={extra!r},",
        ")",
        "for number, picture in enumerate(result.data, start=1):",
        f'    with open(f"picture_{{number}}.{extension}", "wb") as file:',
        "        file.write(base64.b64decode(picture.b64_json))",
    ]


def _openai_film(given: VideoInput) -> list[str]:
    seconds = f"{given.duration_seconds:g}"
    arguments = {"model": given.model, "prompt": given.prompt}
    arguments |= {"size": _size(given), "seconds": seconds}
    first = [f'    input_reference=open("{REFERENCE}", "rb"),'] if _has_reference(given) else []
    return [
        "video = client.videos.create_and_poll(",
        *(f"    {name}={value!r}," for name, value in arguments.items()),
        *first,
        f"    extra_body={_extra(given) | {'fps': given.fps}!r},",
        ")",
        'client.videos.download_content(video.id).write_to_file("video.mp4")',
    ]


def _extra(given: ImageInput | VideoInput) -> dict[str, Any]:
    extra: dict[str, Any] = {
        "seed": given.seed,
        "num_inference_steps": given.num_inference_steps,
        "guidance_scale": given.guidance_scale,
    }
    if given.negative_prompt:
        extra["negative_prompt"] = given.negative_prompt
    return extra


def _size(given: ImageInput | VideoInput) -> str:
    return f"{given.width}x{given.height}"
