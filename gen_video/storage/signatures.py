"""Links to files that expire: `?expires=<unix seconds>&signature=<text>`, for every make of store.

A signature covers the file's public name and the moment of its expiry, under a key that is derived
for this purpose alone. Whoever holds a link may read that one file until then.
"""

import hmac
import math
import re
from base64 import urlsafe_b64encode

from gen_video.errors import ServiceError

PURPOSE = b"gen_video file links"
SIGNATURE_BYTES = 24
"""192 of the 256 bits: as 32 characters without padding."""
_EXPIRES = re.compile(r"[1-9][0-9]{0,11}")
_SIGNATURE = re.compile(r"[A-Za-z0-9_-]{32}")


class LinkInvalidError(ServiceError):
    """This link was never given out."""

    code = "link_invalid"
    status = 403
    message_en = (
        "This address of a file is not valid. Fetch the job again: it names a fresh one; or send "
        "your API key."
    )
    message_zh = "该文件地址无效。请重新查询任务以获取新地址，或附上您的 API 密钥。"


class LinkExpiredError(ServiceError):
    """This link was given out, and its time is over."""

    code = "link_expired"
    status = 403
    message_en = (
        "This address of a file has expired. Fetch the job again: it names a fresh one; or send "
        "your API key."
    )
    message_zh = "该文件地址已过期。请重新查询任务以获取新地址，或附上您的 API 密钥。"


class FileLinks:
    """Signs links to files, and checks them.

    Args:
        secret: Of the service; the same in every process.
        seconds: How long a link is valid.
    """

    def __init__(self, secret: bytes, *, seconds: int) -> None:
        self._key = hmac.digest(secret, PURPOSE, "sha256")
        self._seconds = seconds

    def query(self, name: str, *, now: float) -> str:
        """Return the query of a link to a file that is valid from now on.

        Args:
            name: The file's public name.
            now: Unix seconds.
        """
        expires_at = math.ceil(now) + self._seconds
        return f"expires={expires_at}&signature={self.sign(name, expires_at)}"

    def sign(self, name: str, expires_at: int) -> str:
        """Return the signature of a link."""
        digest = hmac.digest(self._key, f"{expires_at}\n{name}".encode(), "sha256")
        return urlsafe_b64encode(digest[:SIGNATURE_BYTES]).decode("ascii")

    def is_valid(self, name: str, expires_at: int, signature: str) -> bool:
        """Tell whether a link was signed here; it may have expired."""
        if _SIGNATURE.fullmatch(signature) is None:
            return False
        return hmac.compare_digest(self.sign(name, expires_at), signature)

    def require_valid(self, name: str, *, expires: str, signature: str, now: float) -> None:
        """Check a link as it came; whether there is such a file is not looked at.

        Raises:
            LinkInvalidError: It was not signed here, or is written otherwise than we do.
            LinkExpiredError: Its time is over.
        """
        if _EXPIRES.fullmatch(expires) is None:
            raise LinkInvalidError
        if not self.is_valid(name, int(expires), signature):
            raise LinkInvalidError
        if now >= int(expires):
            raise LinkExpiredError
