"""A hosted script that paints landscapes: a day, the same at night by an edit, a part by a mask.

The pictures go into the folder of its argument, which has a mask already.
"""

import base64
import json
import sys
from pathlib import Path

from openai import OpenAI

folder = Path(sys.argv[1])
client = OpenAI(timeout=240)
seen = {}


def save(name: str, text: str | None) -> bytes:
    data = base64.b64decode(text or "")
    (folder / name).write_bytes(data)
    return data


previews = 0
source = b""
for event in client.images.generate(
    model="gpt-image-1",
    prompt="a lake with mountains at noon",
    size="256x256",
    extra_body={"seed": 11},
    stream=True,
    partial_images=2,
):
    if event.type == "image_generation.partial_image":
        previews += 1
        save(f"preview_{previews}.{event.output_format}", event.b64_json)
    else:
        source = save("noon.png", event.b64_json)
seen["previews"] = previews

night = client.images.edit(
    image=("noon.png", source),
    prompt="a lake with mountains at night, moon",
    extra_body={"seed": 12, "strength": 0.9},
)
save("night.png", night.data[0].b64_json)

part = client.images.edit(
    image=("noon.png", source),
    mask=("mask.png", (folder / "mask.png").read_bytes()),
    prompt="a lake with mountains at night, moon",
    extra_body={"seed": 12, "strength": 1.0},
)
save("part.png", part.data[0].b64_json)
print(json.dumps(seen))
