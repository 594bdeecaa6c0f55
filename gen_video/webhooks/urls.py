"""Addresses that webhooks may be sent to, as far as can be told without asking anybody.

Every attempt checks again, with the addresses that the name has then.
"""

from collections.abc import Container
from dataclasses import dataclass

from gen_video.egress.addresses import IPAddress, is_private, is_public
from gen_video.egress.fetcher import UrlRefusedError
from gen_video.egress.targets import Target, parse_target
from gen_video.errors import FieldProblem, InvalidRequestError

MAX_URL_CHARACTERS = 2048
HTTPS_PORTS = frozenset({443})
HTTP_PORTS = frozenset({80, 443})
EVERY_PORT = range(1, 65_536)


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlRules:
    """What the operator lets webhooks reach.

    Attributes:
        is_open: Whether any are sent at all.
        allow_http: Also without encryption.
        allow_private: Also to this machine and private networks, at any port.
    """

    is_open: bool = True
    allow_http: bool = False
    allow_private: bool = False

    @property
    def ports(self) -> Container[int]:
        """Return the ports that a URL may name."""
        if self.allow_private:
            return EVERY_PORT
        return HTTP_PORTS if self.allow_http else HTTPS_PORTS

    def parse(self, url: str) -> Target:
        """Take a URL apart.

        Raises:
            UrlRefusedError: Nothing is sent there.
        """
        if not self.is_open:
            raise UrlRefusedError(
                reason="this service sends no webhooks", reason_zh="本服务不发送 webhook"
            )
        if len(url) > MAX_URL_CHARACTERS:
            raise UrlRefusedError(
                reason=f"it has more than {MAX_URL_CHARACTERS} characters",
                reason_zh=f"长度超过 {MAX_URL_CHARACTERS} 个字符",
            )
        may_be_plain = self.allow_http or self.allow_private
        if not may_be_plain and not url.lower().startswith("https://"):
            raise UrlRefusedError(
                reason="it must begin with https://", reason_zh="必须以 https:// 开头"
            )
        target = parse_target(url, ports=self.ports)
        if target.address is not None and not self._may_reach(target.address):
            raise UrlRefusedError(
                reason="its host is not on the public Internet",
                reason_zh="其主机不在公共互联网上",
            )
        return target

    def _may_reach(self, address: IPAddress) -> bool:
        return is_public(address) or (self.allow_private and is_private(address))

    def require(self, url: str, *, pointer: str) -> Target:
        """Check a URL of a request.

        Raises:
            InvalidRequestError: Names the field, and why nothing is sent there.
        """
        try:
            return self.parse(url)
        except UrlRefusedError as error:
            raise refused(pointer, error) from error


def refused(pointer: str, error: UrlRefusedError) -> InvalidRequestError:
    """Return the error of a request whose field names an address that is not reached."""
    return InvalidRequestError(
        FieldProblem(
            pointer=pointer,
            code=error.code,
            en=f"webhooks cannot be sent to this URL: {error.facts['reason']}",
            zh=f"无法向该 URL 发送 webhook：{error.facts['reason_zh']}",
        )
    )
