"""What a script sees when things go wrong: classes, words, and how often the SDK asked.

Prints a JSON list of what each call raised. Runs on both majors of the SDK.
"""

import json
import os
import sys
import warnings
from collections.abc import Callable

import openai
from openai import OpenAI

warnings.simplefilter("ignore", DeprecationWarning)
client = OpenAI(timeout=60)


def delete_unfinished() -> None:
    video = client.videos.create(prompt="sleep=20 waves")
    try:
        client.videos.delete(video.id)
    finally:
        client.post(f"{os.environ['SERVICE']}/api/v1/jobs/{video.id}/cancel", cast_to=object)


CALLS: dict[str, Callable[[], object]] = {
    "bad_key": lambda: client.with_options(api_key="no-such-key").models.list(),
    "unknown_model": lambda: client.images.generate(model="no-such-model", prompt="a lake"),
    "unknown_field": lambda: client.images.generate(prompt="a lake", extra_body={"colour": 1}),
    "own_model_bad_size": lambda: client.images.generate(
        model="test-double", prompt="a lake", size="100x100"
    ),
    "transparent": lambda: client.images.generate(prompt="a lake", background="transparent"),
    "damaged_picture": lambda: client.images.edit(image=("a.png", b"no picture"), prompt="a lake"),
    "no_such_video": lambda: client.videos.retrieve("job_4bDk2Qv9sTnW1xYz8aLm3P"),
    "failed": lambda: client.images.generate(prompt="fail=9 a lake"),
    "failed_stream": lambda: list(client.images.generate(prompt="fail=9 b", stream=True)),
    "unfinished_delete": delete_unfinished,
    "quota": lambda: client.images.generate(prompt="a lake"),
}


seen = {}
for name in sys.argv[1:]:
    try:
        CALLS[name]()
    except openai.APIError as error:
        seen[name] = {
            "class": type(error).__name__,
            "message": str(error),
            "code": error.code,
            "param": error.param,
            "request_id": getattr(error, "request_id", None),
        }
print(json.dumps(seen))
