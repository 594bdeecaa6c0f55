"""Names: what is wrong with a request is said in the words that OpenAI's client used."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from gen_video.errors import InvalidRequestError

OF_PICTURES = {
    "/width": "/size",
    "/height": "/size",
    "/reference_image": "/image",
    "/previews": "/partial_images",
    "/webhook_url": "/webhook",
}
OF_VIDEOS = {
    "/width": "/size",
    "/height": "/size",
    "/duration": "/seconds",
    "/num_frames": "/seconds",
    "/image": "/input_reference",
    "/webhook_url": "/webhook",
}


@contextmanager
def renaming(names: Mapping[str, str]) -> Iterator[None]:
    """Point at the client's fields in what the block finds wrong with a request.

    Raises:
        InvalidRequestError: What the block raised, in other words.
    """
    try:
        yield
    except InvalidRequestError as error:
        problems = [
            replace(problem, pointer=names.get(problem.pointer, problem.pointer))
            for problem in error.problems
        ]
        raise InvalidRequestError(*problems) from error
