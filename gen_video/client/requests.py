"""What may be asked for: the options of pictures and videos, and how they become calls.

What an option may be is decided by the service and its models: a wrong one is refused with a
`ValidationError` that names the field.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from gen_video.client.connection import Call, FormFile
from gen_video.client.errors import UnexpectedAnswerError
from gen_video.client.reading import read_record
from gen_video.client.records import Job
from gen_video.client.uploads import Picture, data_uri, form_files

IMAGES = "/images/generate"
VIDEOS = "/videos/generate"
REFERENCE = "reference_image"
MASK = "mask"
SEED_WORDS = {"completed": "succeeded"}
"""A repeated submit may find a finished job, and says so in older words."""
CONTROLS = ("idempotency_key", "cancel_after")


class JobOptions(TypedDict, total=False):
    """What pictures and videos have in common.

    Attributes:
        negative_prompt: What to keep out.
        width: In pixels; the model's default if left out, like everything here.
        height: In pixels.
        num_inference_steps: More is finer and slower.
        guidance_scale: How closely the prompt is followed.
        seed: The same seed and options give the same result.
        model: An id of `models()`.
        output_format: png, jpeg, webp; mp4, webm, gif, webp.
        previews: How many previews to make on the way.
        metadata: Your own notes, up to 16 short texts.
        priority: `interactive` or `batch`.
        webhook: An https address for this job alone, in place of the account's.
        idempotency_key: Names the request; made for you if left out.
        cancel_after: A deadline such as `90s`, `5m`, `1h`.
    """

    negative_prompt: str
    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    seed: int
    model: str
    output_format: str
    previews: int
    metadata: Mapping[str, str]
    priority: str
    webhook: str
    idempotency_key: str
    cancel_after: str


class ImageOptions(JobOptions, total=False):
    """What a picture may be asked for with.

    Attributes:
        n: How many pictures.
        strength: How far from the reference picture, 0.01 to 1.
        output_compression: Quality of jpeg and webp, 0 to 100.
        reference_image_type: `scene` or `face`.
        character_lora: A name of `loras()`.
        style_lora: A name of `loras()`.
    """

    n: int
    strength: float
    output_compression: int
    reference_image_type: str
    character_lora: str
    style_lora: str


class VideoOptions(JobOptions, total=False):
    """What a video may be asked for with.

    Attributes:
        duration: Seconds.
        num_frames: Instead of the duration.
        fps: Frames per second.
        image: The first frame: bytes or a path, or as text the id or address of a picture.
        transition: Between scenes, `cut` or `crossfade`.
    """

    duration: float
    num_frames: int
    fps: int
    image: str | bytes | Path
    transition: str


class Scene(TypedDict, total=False):
    """One scene of a storyboard: a prompt, a first frame, or both."""

    prompt: str
    duration: float
    num_frames: int
    image: str | bytes | Path


def submit_image(
    prompt: str, pictures: Sequence[Picture], mask: Picture | None, options: Mapping[str, Any]
) -> Call[Job]:
    """Ask for pictures: as JSON, or as a form where pictures go along."""
    fields = {"prompt": prompt} | _fields(options)
    if not pictures and mask is None:
        return _submit(IMAGES, "image", options, body=fields)
    files = [*form_files(REFERENCE, pictures), *form_files(MASK, [] if mask is None else [mask])]
    return _submit(IMAGES, "image", options, body=fields, files=files)


def submit_video(
    prompt: str | None, scenes: Sequence[Scene] | None, options: Mapping[str, Any]
) -> Call[Job]:
    """Ask for a video of a prompt, or of scenes."""
    fields = _with_frame(_fields(options))
    if prompt is not None:
        fields["prompt"] = prompt
    if scenes is not None:
        fields["scenes"] = [_with_frame(dict(scene)) for scene in scenes]
    return _submit(VIDEOS, "video", options, body=fields)


def read_submitted(kind: str, answer: object) -> Job:
    """Return the job of an answer to a submit, whether it has just begun or is finished already."""
    if not isinstance(answer, Mapping) or not isinstance(answer.get("task_id"), str):
        raise UnexpectedAnswerError("the service has accepted the request but names no job")
    status = str(answer.get("status", "queued"))
    known = {"id": answer["task_id"], "kind": kind, "status": SEED_WORDS.get(status, status)}
    return read_record(Job, dict(answer) | known)


def _submit(
    path: str,
    kind: str,
    options: Mapping[str, Any],
    *,
    body: Mapping[str, Any],
    files: Sequence[FormFile] = (),
) -> Call[Job]:
    # The key is made once per call: every repeated sending of it finds the same job.
    headers = {
        "prefer": "respond-async",
        "idempotency-key": options.get("idempotency_key") or str(uuid.uuid4()),
    }
    if options.get("cancel_after"):
        headers["cancel-after"] = str(options["cancel_after"])
    return Call(
        method="POST",
        path=path,
        read=lambda answer: read_submitted(kind, answer),
        headers=headers,
        json=None if files else body,
        form={name: _as_text(value) for name, value in body.items()} if files else None,
        files=files,
    )


def _fields(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in options.items() if value is not None and name not in CONTROLS
    }


def _with_frame(fields: dict[str, Any]) -> dict[str, Any]:
    frame = fields.get("image")
    return fields | {"image": data_uri(frame)} if isinstance(frame, bytes | Path) else fields


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
