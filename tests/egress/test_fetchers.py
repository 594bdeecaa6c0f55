"""The contract of every fetcher, over each make."""

from collections.abc import Iterator

import pytest

from gen_video.egress.fetcher import (
    Fetched,
    Fetcher,
    UrlRefusedError,
    UrlTooLargeError,
    UrlUnreachableError,
)
from gen_video.egress.memory import MemoryFetcher
from tests.egress.internet import PUBLIC, Internet
from tests.egress.servers import response, serve

URL = "http://pictures.example/cat.png"
DATA = b"\x89PNG and so on"
PICTURES = ("image/png", "image/jpeg")


@pytest.fixture(params=["http", "memory"])
def fetcher(request: pytest.FixtureRequest) -> Iterator[Fetcher]:
    if request.param == "memory":
        yield MemoryFetcher({URL: Fetched(data=DATA, content_type="image/png")})
        return
    with serve({"/cat.png": response(DATA, content_type="Image/PNG; charset=x")}) as served:
        yield Internet(names={"pictures.example": [[PUBLIC]]}, port=served.port).client()


@pytest.mark.parametrize("accept", [PICTURES, ("image/*",), ("*/*",)])
def test_what_lies_at_a_url_is_given(fetcher: Fetcher, accept: tuple[str, ...]) -> None:
    fetched = fetcher.fetch(URL, max_bytes=len(DATA), accept=accept)

    assert fetched == Fetched(data=DATA, content_type="image/png")


def test_one_byte_too_many_is_too_large(fetcher: Fetcher) -> None:
    with pytest.raises(UrlTooLargeError) as refused:
        fetcher.fetch(URL, max_bytes=len(DATA) - 1, accept=PICTURES)

    assert (refused.value.code, refused.value.status) == ("url_too_large", 413)


def test_a_kind_that_is_not_taken_is_no_answer(fetcher: Fetcher) -> None:
    with pytest.raises(UrlUnreachableError, match="image/png"):
        fetcher.fetch(URL, max_bytes=100, accept=("video/mp4", "audio/*"))


@pytest.mark.parametrize("url", ["http://nowhere.example/", "http://pictures.example/dog.png"])
def test_what_is_not_there_is_unreachable(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(UrlUnreachableError) as refused:
        fetcher.fetch(url, max_bytes=100, accept=PICTURES)

    assert (refused.value.code, refused.value.status) == ("url_unreachable", 422)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://me:secret@pictures.example/cat.png",
        "http://pictures.example:22/cat.png",
        "http://127.0.0.1/cat.png",
        "http://[::ffff:169.254.169.254]/cat.png",
        "http://2130706433/cat.png",
    ],
)
def test_what_no_user_may_name_is_refused(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(UrlRefusedError):
        fetcher.fetch(url, max_bytes=100, accept=PICTURES)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_messages_name_no_address_and_no_secret(fetcher: Fetcher, language: str) -> None:
    for url in ("http://10.1.2.3/", "http://me:secret@pictures.example/"):
        with pytest.raises(UrlRefusedError) as refused:
            fetcher.fetch(url, max_bytes=100, accept=PICTURES)

        message = refused.value.message("zh" if language == "zh" else "en")
        assert "10.1.2.3" not in message
        assert "secret" not in message


def test_the_fake_raises_what_it_is_told_to() -> None:
    fetcher = MemoryFetcher({URL: UrlTooLargeError(max_bytes=1)})

    with pytest.raises(UrlTooLargeError):
        fetcher.fetch(URL, max_bytes=100, accept=PICTURES)

    assert fetcher.urls == [URL]
