"""A script as people write it for the hosted service: it knows nothing of this one.

Base URL and key come from the environment, as the SDK reads them. Runs on both majors of the SDK.
What it made goes into the folder of its argument; what it saw, to its output as JSON.
"""

import base64
import json
import sys
import warnings
from pathlib import Path

from openai import OpenAI

warnings.simplefilter("ignore", DeprecationWarning)
folder = Path(sys.argv[1])
client = OpenAI(timeout=60)
seen: dict[str, object] = {}


def save(name: str, text: str | None) -> None:
    (folder / name).write_bytes(base64.b64decode(text or ""))


# Pictures.
made = client.images.generate(
    model="gpt-image-1",
    prompt="a lake in the morning",
    size="1024x1536",
    quality="low",
    n=2,
    output_format="webp",
    output_compression=60,
    background="opaque",
    moderation="low",
    user="user-1",
)
for index, picture in enumerate(made.data):
    save(f"generated_{index}.webp", picture.b64_json)
seen["generate"] = {
    "created": made.created,
    "size": made.size,
    "quality": made.quality,
    "output_format": made.output_format,
    "background": made.background,
    "total_tokens": made.usage.total_tokens,
    "extra": made.model_extra,
}

linked = client.images.generate(
    model="dall-e-3",
    prompt="a lake in the evening",
    size="1024x1024",
    quality="hd",
    style="vivid",
    response_format="url",
)
seen["url"] = {"url": linked.data[0].url, "b64_json": linked.data[0].b64_json}

encoded = client.images.generate(
    model="dall-e-2", prompt="a lake at night", size="256x256", response_format="b64_json"
)
save("source.png", encoded.data[0].b64_json)
seen["b64_json"] = {"url": encoded.data[0].url, "size": encoded.size}

# A stream of pictures on the way.
events = []
for event in client.images.generate(
    model="gpt-image-1",
    prompt="sleep=1.5 a lake, slowly",
    size="256x256",
    stream=True,
    partial_images=2,
):
    events.append(
        {
            "type": event.type,
            "index": getattr(event, "partial_image_index", None),
            "size": event.size,
        }
    )
    save(f"stream_{len(events)}.{event.output_format}", event.b64_json)
seen["stream"] = events

# Edits: two pictures and a mask, then as a stream, then a variation.
source = (folder / "source.png").read_bytes()
edited = client.images.edit(
    model="gpt-image-1",
    image=[("one.png", source), ("two.png", source)],
    mask=("mask.png", (folder / "mask.png").read_bytes()),
    prompt="a boat on the lake",
    size="auto",
    n=1,
    quality="medium",
    input_fidelity="high",
)
save("edited.png", edited.data[0].b64_json)
seen["edit"] = {"size": edited.size}
with (folder / "source.png").open("rb") as file:
    seen["edit_stream"] = [
        event.type
        for event in client.images.edit(
            model="gpt-image-1",
            image=file,
            prompt="sleep=1 a boat on the lake",
            stream=True,
            partial_images=1,
        )
    ]
varied = client.images.create_variation(image=("one.png", source), n=2, size="256x256")
seen["variation"] = {"size": varied.size, "count": len(varied.data)}

# Videos.
video = client.videos.create(model="sora-2", prompt="waves at dawn", seconds="4", size="1280x720")
seen["created"] = video.to_dict()
video = client.videos.poll(video.id)
seen["polled"] = video.to_dict()
for variant in ("video", "thumbnail", "spritesheet"):
    client.videos.download_content(video.id, variant=variant).write_to_file(folder / variant)
remix = client.videos.remix(video.id, prompt="waves at night")
remix = client.videos.poll(remix.id, poll_interval_ms=200)
seen["remixed"] = remix.to_dict()
started = client.videos.create_and_poll(
    model="sora-2-pro",
    prompt="the lake, moving",
    input_reference=("one.png", source),
    seconds="8",
    size="1024x1792",
    poll_interval_ms=200,
)
seen["from_picture"] = started.to_dict()
first_page = client.videos.list(limit=2)
seen["page"] = {"ids": [item.id for item in first_page.data], "has_more": first_page.has_more}
seen["newest"] = [item.id for item in client.videos.list(limit=2)][:3]
seen["oldest"] = [item.id for item in client.videos.list(order="asc")][-3:]
seen["deleted"] = client.videos.delete(remix.id).to_dict()
seen["left"] = [item.id for item in client.videos.list()][:2]

# Models.
seen["models"] = [model.id for model in client.models.list()]
seen["model"] = client.models.retrieve("gpt-image-1").to_dict()

print(json.dumps(seen))
