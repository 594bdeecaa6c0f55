"""Answers from memory: the fetcher of tests."""

from collections.abc import Mapping

from typing_extensions import override

from gen_video.egress.addresses import is_public
from gen_video.egress.fetcher import (
    Fetched,
    Fetcher,
    UrlRefusedError,
    UrlTooLargeError,
    UrlUnreachableError,
    require_accepted,
)
from gen_video.egress.targets import parse_target
from gen_video.errors import ServiceError


class MemoryFetcher(Fetcher):
    """A fetcher whose Internet is a dictionary.

    Args:
        answers: What each URL gives; an error is raised. All else does not answer.

    Attributes:
        urls: What was asked for, in order.
    """

    def __init__(self, answers: Mapping[str, Fetched | ServiceError] | None = None) -> None:
        self.answers = dict(answers or {})
        self.urls: list[str] = []

    @override
    def fetch(self, url: str, *, max_bytes: int, accept: tuple[str, ...]) -> Fetched:
        self.urls.append(url)
        target = parse_target(url)
        if target.address is not None and not is_public(target.address):
            raise UrlRefusedError(
                reason="its address is not public", reason_zh="其地址不是公网地址"
            )
        answer = self.answers.get(url)
        if answer is None:
            raise UrlUnreachableError(reason="nothing is there", reason_zh="没有内容")
        if isinstance(answer, ServiceError):
            raise answer
        require_accepted(answer.content_type, accept)
        if len(answer.data) > max_bytes:
            raise UrlTooLargeError(max_bytes=max_bytes)
        return answer
