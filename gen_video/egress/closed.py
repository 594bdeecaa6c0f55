"""A fetcher for operators who let no request of users leave this machine."""

from typing_extensions import override

from gen_video.egress.fetcher import Fetched, Fetcher, UrlRefusedError


class ClosedFetcher(Fetcher):
    """Fetches nothing."""

    @override
    def fetch(self, url: str, *, max_bytes: int, accept: tuple[str, ...]) -> Fetched:
        raise UrlRefusedError(
            reason="this service fetches no URLs", reason_zh="本服务不访问外部链接"
        )
