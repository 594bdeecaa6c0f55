"""One call without any idempotency key; the SDK repeats it by itself when no answer comes."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from openai import OpenAI

warnings.simplefilter("ignore", DeprecationWarning)
client = OpenAI(timeout=60)
picture = Path(sys.argv[2]).read_bytes()
CALLS: dict[str, Callable[[], object]] = {
    "generate": lambda: client.images.generate(prompt="a lake", size="256x256").data[0].url,
    "stream": lambda: [
        event.type for event in client.images.generate(prompt="a lake", stream=True)
    ],
    "edit": lambda: client.images.edit(image=("a.png", picture), prompt="a boat").data[0].url,
    "edit_several": lambda: (
        client.images.edit(
            image=[("a.png", picture), ("b.png", picture)], mask=picture, prompt="a boat"
        )
        .data[0]
        .url
    ),
    "variation": lambda: client.images.create_variation(image=("a.png", picture)).data[0].url,
    "video": lambda: client.videos.create(prompt="waves").id,
    "video_from_picture": lambda: (
        client.videos.create(prompt="waves", input_reference=("a.png", picture)).id
    ),
}

print(CALLS[sys.argv[1]]())
